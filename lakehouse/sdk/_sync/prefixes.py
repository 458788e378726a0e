# SPDX-License-Identifier: Apache-2.0
"""All objects under a prefix at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.prefixes import (
    COPY_PREFIX,
    GET_PREFIX_USAGE,
    MOVE_PREFIX,
    PrefixCopy,
    PrefixMove,
    PrefixQuery,
    PrefixUsage,
)

if TYPE_CHECKING:
    from lakehouse.sdk._sync.transport import Transport


class Prefixes:
    """How much is under a prefix; copying and moving it without copying bytes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_prefix_usage(self, repository: str, ref: str, *, prefix: str = "") -> PrefixUsage:
        """How many objects a ref shows under a prefix, and of how many bytes."""
        path = {"repository": repository, "ref": ref}
        return self._transport.call(GET_PREFIX_USAGE, PrefixUsage, path, query=PrefixQuery(prefix=prefix))

    def copy_prefix(
        self,
        repository: str,
        branch: str,
        src_prefix: str,
        dest_prefix: str,
        *,
        src_ref: str = "",
        overwrite: bool = False,
        force: bool = False,
    ) -> PrefixUsage:
        """Show the objects under a prefix, of the branch or of `src_ref`, under another prefix of the branch too.

        All or none. Raises PreconditionFailed where an object is in the way, unless `overwrite`; ObjectNotFound.
        """
        body = PrefixCopy(
            src_prefix=src_prefix, dest_prefix=dest_prefix, src_ref=src_ref, overwrite=overwrite, force=force
        )
        path = {"repository": repository, "branch": branch}
        return self._transport.call(COPY_PREFIX, PrefixUsage, path, body=body)

    def move_prefix(
        self,
        repository: str,
        branch: str,
        src_prefix: str,
        dest_prefix: str,
        *,
        overwrite: bool = False,
        force: bool = False,
    ) -> PrefixUsage:
        """Move the objects under a prefix of a branch to another prefix.

        All or none. Raises PreconditionFailed where an object is in the way, unless `overwrite`; ObjectNotFound.
        """
        body = PrefixMove(src_prefix=src_prefix, dest_prefix=dest_prefix, overwrite=overwrite, force=force)
        path = {"repository": repository, "branch": branch}
        return self._transport.call(MOVE_PREFIX, PrefixUsage, path, body=body)
