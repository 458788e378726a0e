# SPDX-License-Identifier: Apache-2.0
"""The declaration of one API operation.

Invariant: whatever a surface needs to know of an operation (route, types, statuses, permissions) is in its `Operation`
and nowhere else.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

import msgspec

Type = Any
"""A Struct class, or a type that msgspec understands such as `list[Struct]` or `dict[str, str]`."""

_PARAMETER = re.compile(r"\{(\w+)\}")


class Access(Enum):
    """Operations that do not name one permission."""

    NOBODY_ASKED = "nobody asked"
    """Open to everybody; credentials are not even looked at."""
    AUTHENTICATED = "authenticated"
    """Any known user."""
    DYNAMIC = "dynamic"
    """Any known user; the handler authorizes item by item."""


NOBODY_ASKED = Access.NOBODY_ASKED
AUTHENTICATED = Access.AUTHENTICATED
DYNAMIC = Access.DYNAMIC


class Permission(msgspec.Struct, frozen=True):
    """An action on a resource.

    `resource` is a template: `{name}` stands for the path parameter, else the query parameter, else the member of the
    body of that name. `*` is every resource.
    """

    action: str
    resource: str


REPOSITORY = "repository/{repository}"
BRANCH = "repository/{repository}/branch/{branch}"
TAG = "repository/{repository}/tag/{tag}"
OBJECT = "repository/{repository}/object/{path}"
USER = "user/{userId}"
GROUP = "group/{groupId}"
POLICY = "policy/{policyId}"


def need(action: str, resource: str) -> tuple[Permission, ...]:
    """The permission to do `action` on `resource`; add two of them to need both."""
    return (Permission(action, resource),)


class Operation(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One API operation.

    `name` is the one name of the operation in every layer, `id` its operationId on the wire. `path` is below `/api/v1`.
    `result` None: the answer has no body; `str`: plain text; else JSON. `also` tells the types of answers with other
    statuses. `raw_body`: the handler reads the stream itself and `body` documents it only; `raw_result`: the handler
    answers with bytes. `packed`: body and answer may be MessagePack, if Content-Type and Accept say so. `headers` are
    the request headers that the operation reads beside the general ones.
    """

    name: str
    id: str
    method: str
    path: str
    tag: str
    summary: str
    allow: tuple[Permission, ...] | Access
    query: type[msgspec.Struct] | None = None
    body: Type = None
    body_required: bool = True
    result: Type = None
    status: int = 200
    also: dict[int, Type] = {}
    headers: tuple[str, ...] = ()
    raw_body: bool = False
    raw_result: bool = False
    packed: bool = False
    deprecated: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in `path`, in order."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def mutates(self) -> bool:
        """Whether the operation may change anything."""
        return self.method not in {"GET", "HEAD"}
