# SPDX-License-Identifier: Apache-2.0
"""The rules of branch protection as they are stored, and compiled.

They are cached under the repository's `settings_version`, which every read of a repository returns: a change is
effective at once, in every process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.meta import settings
from lakehouse.versioning.state.glob import parse_glob

if TYPE_CHECKING:
    import re

    from lakehouse.core.ids import BranchName, RepositoryId
    from lakehouse.core.records import Repository
    from lakehouse.db.port import Database

PROTECTION_KEY = "branch_protection"
"""Of the setting that holds the rules."""
_SIZE = 1000
_patterns = msgspec.json.Decoder(list[str])


class Rules(msgspec.Struct, frozen=True):
    """The patterns of a repository, in order, and their ETag ("": none were ever stored)."""

    patterns: tuple[str, ...]
    etag: str


async def stored_rules(db: Database, repository: RepositoryId) -> Rules:
    """The rules as they are stored."""
    found = await settings.find(db, repository, PROTECTION_KEY)
    return Rules((), "") if found is None else Rules(tuple(_patterns.decode(found[0])), found[1])


class ProtectionCache:
    """Compiled rules by repository, each with the settings version that it was read at."""

    def __init__(self) -> None:
        self._rules: dict[RepositoryId, tuple[int, tuple[re.Pattern[str], ...]]] = {}

    async def protects(self, db: Database, repository: Repository, branch: BranchName) -> bool:
        """Whether a rule matches the branch's whole name."""
        if repository.settings_version == 0:
            return False
        version, compiled = self._rules.get(repository.id, (-1, ()))
        if version != repository.settings_version:
            rules = await stored_rules(db, repository.id)
            compiled = tuple(parse_glob(pattern) for pattern in rules.patterns)
            if len(self._rules) >= _SIZE:
                self._rules.clear()
            self._rules[repository.id] = (repository.settings_version, compiled)
        return any(pattern.fullmatch(branch) for pattern in compiled)
