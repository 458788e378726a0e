# SPDX-License-Identifier: Apache-2.0
"""Branch protection: patterns of branch names that take merges only, and read-only repositories."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import ProtectedBranch, ReadOnlyRepository, RepositoryInDeletion
from lakehouse.core.records import Repository, RepositoryState
from lakehouse.meta import repositories, settings
from lakehouse.versioning.state.glob import parse_glob
from lakehouse.versioning.state.protection_cache import PROTECTION_KEY, Rules, stored_rules

if TYPE_CHECKING:
    from lakehouse.core.ids import BranchName
    from lakehouse.versioning.lake import Lake


def require_active(repository: Repository) -> None:
    """Raises RepositoryInDeletion."""
    if repository.state is RepositoryState.DELETING:
        raise RepositoryInDeletion


def require_not_read_only(repository: Repository, *, force: bool) -> None:
    """Raises ReadOnlyRepository unless `force`."""
    if repository.read_only and not force:
        raise ReadOnlyRepository


async def require_writable(
    lake: Lake,
    repository: Repository,
    branch: BranchName,
    *,
    force: bool,
    doing: str = "cannot write to protected branch",
) -> None:
    """Raises ProtectedBranch (with `doing` as its text), ReadOnlyRepository unless `force`."""
    if await lake.protection.protects(lake.db, repository, branch):
        raise ProtectedBranch(doing)
    require_not_read_only(repository, force=force)


async def get(lake: Lake, repository: Repository) -> Rules:
    """The rules as they are stored."""
    return await stored_rules(lake.db, repository.id)


async def set_rules(lake: Lake, repository: Repository, patterns: list[str], *, if_etag: str | None) -> None:
    """Replace the rules; with `if_etag` only when theirs is that one.

    Raises PreconditionFailed, ReadOnlyRepository, InvalidArgument (a pattern that cannot be read).
    """
    require_not_read_only(repository, force=False)
    for pattern in patterns:
        parse_glob(pattern)
    value = msgspec.json.encode(sorted(set(patterns))).decode()
    etag = hashlib.sha256(value.encode()).hexdigest()[:32]
    store = (
        settings.put(repository.id, PROTECTION_KEY, value, etag)
        if if_etag is None
        else settings.put_if(repository.id, PROTECTION_KEY, value, etag, seen=if_etag)
    )
    await lake.db.apply(store, repositories.touch_settings(repository.id))
