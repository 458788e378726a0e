# SPDX-License-Identifier: Apache-2.0
"""What operations ask for beyond the table, item by item: the one place that names them all.

Every `DYNAMIC` operation stands here, and some that need more than the table can say. What stands in angle brackets is
not a part of the request with that name, but what the words say.
"""

from __future__ import annotations

from lakehouse.wire.operation import REPOSITORY, Permission

_IMPORT = "namespace/<an address outside of every repository>"

PER_ITEM: dict[str, tuple[Permission, ...]] = {
    "list_repositories": (Permission("fs:ListRepositories", "repository/<each that is shown>"),),
    "list_objects": (Permission("fs:ReadObject", "repository/{repository}/object/<each that gets a presigned URL>"),),
    "delete_objects": (Permission("fs:DeleteObject", "repository/{repository}/object/<each path>"),),
    "copy_object": (
        Permission("fs:ReadObject", "repository/{repository}/object/{src_path}"),
        Permission("fs:WriteObject", "repository/{repository}/object/{dest_path}"),
    ),
    "copy_prefix": (
        Permission("fs:ListObjects", REPOSITORY),
        Permission("fs:ReadObject", "repository/{repository}/object/<each source>"),
        Permission("fs:WriteObject", "repository/{repository}/object/<each destination>"),
    ),
    "move_prefix": (
        Permission("fs:ListObjects", REPOSITORY),
        Permission("fs:ReadObject", "repository/{repository}/object/<each source>"),
        Permission("fs:DeleteObject", "repository/{repository}/object/<each source>"),
        Permission("fs:WriteObject", "repository/{repository}/object/<each destination>"),
    ),
    "upload_part_copy": (Permission("fs:ReadObject", "repository/<that of the source>/object/<the source>"),),
    "stage_object": (Permission("fs:ImportFromStorage", _IMPORT),),
    "link_physical_address": (Permission("fs:ImportFromStorage", _IMPORT),),
    "get_physical_addresses": (Permission("fs:WriteObject", "repository/{repository}/object/<each path>"),),
    "link_physical_addresses": (
        Permission("fs:WriteObject", "repository/{repository}/object/<each path>"),
        Permission("fs:ImportFromStorage", _IMPORT),
    ),
    "import_start": (
        Permission("fs:ImportFromStorage", "namespace/<each source>"),
        Permission("fs:WriteObject", "repository/{repository}/object/<each destination>"),
        Permission("fs:WriteObject", "repository/{repository}/branch/{branch}"),
        Permission("fs:CreateCommit", "repository/{repository}/branch/{branch}"),
    ),
    "merge_pull_request": (
        Permission("fs:CreateCommit", "repository/{repository}/branch/<the destination>"),
        Permission("pr:WritePullRequest", REPOSITORY),
    ),
}
