# SPDX-License-Identifier: Apache-2.0
"""Retention rules: for how many days commits are kept, by branch and by default. Without rules they never expire."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import InvalidArgument, SettingNotFound
from lakehouse.core.ids import parse_branch_name
from lakehouse.meta import settings
from lakehouse.versioning import resolve
from lakehouse.versioning.protection import require_not_read_only

if TYPE_CHECKING:
    from lakehouse.core.ids import RepositoryId
    from lakehouse.db.port import Database
    from lakehouse.versioning.lake import Lake

KEY = "gc_rules"
DAY = 86_400
_MOST_DAYS = 36_500


class RetentionRules(msgspec.Struct, frozen=True):
    """Days for which commits are kept: of the branches that are named, and of all others."""

    default_days: int
    branches: dict[str, int] = {}

    def days(self, branch: str) -> int:
        """Of one branch."""
        return self.branches.get(branch, self.default_days)


_rules = msgspec.json.Decoder(RetentionRules | None)


async def stored_rules(db: Database, repository: RepositoryId) -> RetentionRules | None:
    """The rules of a repository, None without any."""
    found = await settings.find(db, repository, KEY)
    return None if found is None else _rules.decode(found[0])


async def get_rules(lake: Lake, repository: str) -> RetentionRules:
    """Raises RepositoryNotFound, SettingNotFound."""
    repo = await resolve.repository(lake, repository)
    rules = await stored_rules(lake.db, repo.id)
    if rules is None:
        raise SettingNotFound("garbage collection rules: not found")
    return rules


async def set_rules(lake: Lake, repository: str, rules: RetentionRules | None) -> None:
    """Replace the rules, or remove them with None. Raises RepositoryNotFound, ReadOnlyRepository, InvalidArgument."""
    repo = await resolve.repository(lake, repository)
    require_not_read_only(repo, force=False)
    for name, days in (("default", rules.default_days), *rules.branches.items()) if rules else ():
        if not 0 < days <= _MOST_DAYS:
            raise InvalidArgument(
                f"{name}: retention of {days} days: 1 to {_MOST_DAYS}: invalid value: validation error"
            )
    for name in rules.branches if rules else ():
        parse_branch_name(name)
    value = msgspec.json.encode(rules, order="sorted").decode()
    await lake.db.apply(settings.put(repo.id, KEY, value, hashlib.sha256(value.encode()).hexdigest()[:32]))
