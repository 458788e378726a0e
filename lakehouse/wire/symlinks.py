# SPDX-License-Identifier: Apache-2.0
"""Lists of the files of a table, for engines that read a branch without knowing of branches."""

from __future__ import annotations

import msgspec

from lakehouse.wire.metadata import StorageURI
from lakehouse.wire.operation import Operation, need


class CreateSymlinkFileQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`location`: the path of the table, with or without a slash at its end; empty for the whole branch."""

    location: str = ""


CREATE_SYMLINK_FILE = Operation(
    name="create_symlink_file",
    id="createSymlinkFile",
    method="POST",
    path="/repositories/{repository}/refs/{branch}/symlink",
    tag="symlinks",
    summary="Write a symlink.txt for each folder: the addresses of its objects, as Hive and Athena read them",
    allow=need("fs:WriteObject", "repository/{repository}/object/{location}"),
    query=CreateSymlinkFileQuery,
    result=StorageURI,
    status=201,
)

OPERATIONS = (CREATE_SYMLINK_FILE,)
