# SPDX-License-Identifier: Apache-2.0
"""Handlers: lists of the files of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.versioning.objects import symlinks
from lakehouse.wire.metadata import StorageURI

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.symlinks import CreateSymlinkFileQuery


async def create_symlink_file(services: Services, call: Call[CreateSymlinkFileQuery, None]) -> StorageURI:
    written = await symlinks.create_symlink_file(
        services.lake, call.path["repository"], call.path["branch"], location=call.query.location.encode()
    )
    return StorageURI(written)
