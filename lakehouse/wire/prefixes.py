# SPDX-License-Identifier: Apache-2.0
"""All objects under a prefix at once: how much they are, copy them, move them."""

from __future__ import annotations

import msgspec

from lakehouse.wire.operation import REPOSITORY, Operation, need

_ON_BRANCH = "/repositories/{repository}/branches/{branch}/objects"


class PrefixQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Paths that begin with `prefix`; all without one."""

    prefix: str = ""


class PrefixUsage(msgspec.Struct, frozen=True, kw_only=True):
    """How many objects, and the sum of their sizes in bytes."""

    objects: int
    size_bytes: int


class PrefixMove(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What begins with `src_prefix` shall begin with `dest_prefix`: plain strings, so end them with `/` as a rule.

    Without `overwrite` no object may be where one is written.
    """

    src_prefix: str
    dest_prefix: str
    overwrite: bool = False
    force: bool = False


class PrefixCopy(PrefixMove, frozen=True, kw_only=True, omit_defaults=True):
    """Without `src_ref` the source is the branch itself, as it is shown."""

    src_ref: str = ""


GET_PREFIX_USAGE = Operation(
    name="get_prefix_usage",
    id="getPrefixUsage",
    method="GET",
    path="/repositories/{repository}/refs/{ref}/objects/usage",
    tag="prefixes",
    summary="Count the objects under a prefix, and their bytes",
    allow=need("fs:ListObjects", REPOSITORY),
    query=PrefixQuery,
    result=PrefixUsage,
)
COPY_PREFIX = Operation(
    name="copy_prefix",
    id="copyPrefix",
    method="POST",
    path=_ON_BRANCH + "/copy_prefix",
    tag="prefixes",
    summary="Copy all objects under a prefix of a ref to another prefix of a branch, without copying bytes",
    allow=need("fs:ListObjects", REPOSITORY),
    body=PrefixCopy,
    result=PrefixUsage,
    status=201,
)
MOVE_PREFIX = Operation(
    name="move_prefix",
    id="movePrefix",
    method="POST",
    path=_ON_BRANCH + "/move_prefix",
    tag="prefixes",
    summary="Move all objects under a prefix to another prefix, without copying bytes",
    allow=need("fs:ListObjects", REPOSITORY),
    body=PrefixMove,
    result=PrefixUsage,
)

OPERATIONS = (GET_PREFIX_USAGE, COPY_PREFIX, MOVE_PREFIX)
