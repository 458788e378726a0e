# SPDX-License-Identifier: Apache-2.0
"""Branch protection: patterns of branch names that take merges only, and read-only repositories.

Rules are cached under the repository's `settings_version`, which every read of a repository returns: a change is
effective at once, in every process.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import ProtectedBranch, ReadOnlyRepository, RepositoryInDeletion
from lakehouse.core.records import Repository, RepositoryState
from lakehouse.meta import repositories, settings
from lakehouse.versioning.glob import parse_glob

if TYPE_CHECKING:
    import re

    from lakehouse.core.ids import BranchName, RepositoryId
    from lakehouse.versioning.lake import Lake

_KEY = "branch_protection"
_SIZE = 1000
_patterns = msgspec.json.Decoder(list[str])


class Rules(msgspec.Struct, frozen=True):
    """The patterns of a repository, in order, and their ETag ("": none were ever stored)."""

    patterns: tuple[str, ...]
    etag: str


class ProtectionCache:
    """Compiled rules by repository, each with the settings version that it was read at."""

    def __init__(self) -> None:
        self._rules: dict[RepositoryId, tuple[int, tuple[re.Pattern[str], ...]]] = {}

    async def protects(self, lake: Lake, repository: Repository, branch: BranchName) -> bool:
        """Whether a rule matches the branch's whole name."""
        if repository.settings_version == 0:
            return False
        version, compiled = self._rules.get(repository.id, (-1, ()))
        if version != repository.settings_version:
            rules = await get(lake, repository)
            compiled = tuple(parse_glob(pattern) for pattern in rules.patterns)
            if len(self._rules) >= _SIZE:
                self._rules.clear()
            self._rules[repository.id] = (repository.settings_version, compiled)
        return any(pattern.fullmatch(branch) for pattern in compiled)


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
    if await lake.protection.protects(lake, repository, branch):
        raise ProtectedBranch(doing)
    require_not_read_only(repository, force=force)


async def get(lake: Lake, repository: Repository) -> Rules:
    """The rules as they are stored."""
    found = await settings.find(lake.db, repository.id, _KEY)
    return Rules((), "") if found is None else Rules(tuple(_patterns.decode(found[0])), found[1])


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
        settings.put(repository.id, _KEY, value, etag)
        if if_etag is None
        else settings.put_if(repository.id, _KEY, value, etag, seen=if_etag)
    )
    await lake.db.apply(store, repositories.touch_settings(repository.id))
