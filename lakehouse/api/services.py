# SPDX-License-Identifier: Apache-2.0
"""What the handlers work with: made once by the composition root, handed to each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.asgi.usage import UsageCounter
from lakehouse.auth.checker import Checker
from lakehouse.auth.directory import Directory
from lakehouse.auth.identity import Authenticator
from lakehouse.auth.keys import KeyRing
from lakehouse.auth.oidc import Provider
from lakehouse.core.clock import Clock
from lakehouse.versioning.lake import Actor, Lake

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lakehouse.asgi.call import Call

PROTOCOL_LEVEL = "1.84.0"
"""The level of the wire protocol that clients ask for."""


class Services(msgspec.Struct, frozen=True, eq=False):
    """The engine, who may use it, and what the server is. `object_size`: the largest upload, in bytes."""

    lake: Lake
    authenticator: Authenticator
    checker: Checker
    directory: Directory
    provider: Provider
    ring: KeyRing
    usage: UsageCounter
    version: str
    clock: Clock
    object_size: int | None = None


def actor(call: Call[Any, Any]) -> Actor:
    """Who does what the request asks for."""
    user = call.known_user
    depth = 0 if call.inside is None else call.inside.depth
    return Actor(committer=user.committer, name=user.name, request=call.request_id, user=user, depth=depth)


def importing(services: Services, call: Call[Any, Any]) -> Callable[[str], object]:
    """What refuses an address outside of every repository to a caller who may not import from there."""
    return lambda uri: services.checker.authorize(call.user, "fs:ImportFromStorage", f"namespace/{uri}")
