# SPDX-License-Identifier: Apache-2.0
"""Lists of the files of a table, for engines that know no branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.metadata import StorageURI
from lakehouse.wire.symlinks import CREATE_SYMLINK_FILE, CreateSymlinkFileQuery

if TYPE_CHECKING:
    from lakehouse.sdk._async.transport import Transport


class Symlinks:
    """Files that name the objects of each folder of a branch."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create_symlink_file(self, repository: str, branch: str, *, location: str = "") -> StorageURI:
        """Write a symlink.txt for each folder at and below `location`; the address that stands for `location`."""
        path = {"repository": repository, "branch": branch}
        query = CreateSymlinkFileQuery(location=location)
        return await self._transport.call(CREATE_SYMLINK_FILE, StorageURI, path, query=query)
