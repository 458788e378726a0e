# SPDX-License-Identifier: Apache-2.0
"""Adding a commit that was made elsewhere: what a dump of refs is restored with. No branch moves.

The id of a commit of our own version is the hash of its fields; of any other version it is data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import CommitExists, InvalidArgument
from lakehouse.core.ids import is_commit_id
from lakehouse.format.commit import OWN_VERSION, id_of
from lakehouse.meta import commits
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.record import keep_record
from lakehouse.versioning.protection import require_not_read_only

if TYPE_CHECKING:
    from lakehouse.core.records import Commit
    from lakehouse.versioning.lake import Lake


async def create_commit_record(lake: Lake, repository: str, commit: Commit, *, force: bool = False) -> None:
    """Insert a commit as it is. Its parents and its tree may come later.

    Raises RepositoryNotFound, ReadOnlyRepository, InvalidArgument for ids that are none or not those of the fields,
    CommitExists.
    """
    repo = await resolve.repository(lake, repository)
    require_not_read_only(repo, force=force)
    for name, text in (("commit_id", commit.id), *(("parents", parent) for parent in commit.parents)):
        if not is_commit_id(text):
            raise InvalidArgument(f"{name} {text!r}: not 64 hex digits: invalid value: validation error")
    if commit.root and not is_commit_id(commit.root):
        raise InvalidArgument(f"metarange_id {commit.root!r}: not 64 hex digits: invalid value: validation error")
    if commit.version == OWN_VERSION and (expected := id_of(commit)) != commit.id:
        raise InvalidArgument(
            f"commit_id: the fields of a commit of version {OWN_VERSION} give {expected}: validation error"
        )
    insert = msgspec.structs.replace(commits.insert(repo.id, commit, None), rows=1, otherwise=CommitExists())
    await lake.db.apply(insert)
    keep_record(lake, repo, commit, None)
