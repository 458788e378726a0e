# SPDX-License-Identifier: Apache-2.0
"""Approvals and checks of pull requests, and the rules that a merge of one must meet.

A review and a check are about a commit: when the source branch moves on, they no longer count. Rules are patterns of
destination branches; without one that matches, a pull request merges as ever, so that clients who know nothing of them
notice nothing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import InvalidArgument, PullRequestBlocked
from lakehouse.core.ids import CommitId
from lakehouse.core.records import Check, PullRequestStatus, Review
from lakehouse.meta import reviews, settings
from lakehouse.versioning import resolve
from lakehouse.versioning.protection import require_not_read_only
from lakehouse.versioning.pulls import pulls
from lakehouse.versioning.state.glob import parse_glob

if TYPE_CHECKING:
    from lakehouse.core.records import PullRequest, Repository
    from lakehouse.versioning.lake import Actor, Lake

KEY = "merge_rules"
_MOST = 100


class MergeRule(msgspec.Struct, frozen=True):
    """What pull requests into branches that match `pattern` need: so many approvals, and these checks."""

    pattern: str
    approvals: int = 0
    checks: tuple[str, ...] = ()


class Readiness(msgspec.Struct, frozen=True):
    """What is said of a pull request, and what it lacks before it may be merged."""

    commit: CommitId
    reviews: tuple[Review, ...]
    checks: tuple[Check, ...]
    missing: tuple[str, ...]


_rules = msgspec.json.Decoder(list[MergeRule])


async def get_merge_rules(lake: Lake, repository: str) -> list[MergeRule]:
    """The rules, none without any. Raises RepositoryNotFound."""
    return await _stored(lake, await resolve.repository(lake, repository))


async def set_merge_rules(lake: Lake, repository: str, rules: list[MergeRule]) -> None:
    """Replace the rules. Raises RepositoryNotFound, ReadOnlyRepository, InvalidArgument."""
    repo = await resolve.repository(lake, repository)
    require_not_read_only(repo, force=False)
    if len(rules) > _MOST:
        raise InvalidArgument(f"merge rules: more than {_MOST}: invalid value: validation error")
    for rule in rules:
        parse_glob(rule.pattern)
        if not 0 <= rule.approvals <= _MOST or len(rule.checks) > _MOST or "" in rule.checks:
            raise InvalidArgument(
                f"merge rules: {rule.pattern}: 0 to {_MOST} approvals and named checks: invalid value"
            )
    value = msgspec.json.encode(rules).decode()
    await lake.db.apply(settings.put(repo.id, KEY, value, hashlib.sha256(value.encode()).hexdigest()[:32]))


async def review_pull_request(
    lake: Lake, repository: str, pull: str, *, verdict: str, comment: str, actor: Actor
) -> None:
    """Say what one thinks of the source branch as it is; the last word of each counts. Nobody approves their own.

    Raises PullRequestNotFound, BranchNotFound, InvalidArgument, ReadOnlyRepository.
    """
    repo, found = await pulls.find(lake, repository, pull)
    require_not_read_only(repo, force=False)
    if verdict == "approve" and found.author == actor.committer:
        raise InvalidArgument("the author of a pull request cannot approve it: invalid value: validation error")
    _, source = await resolve.branch(lake, repository, found.source)
    said = Review(actor.name, verdict, source.commit_id, comment, lake.now)
    await lake.db.apply(reviews.put(repo.id, pull, said))


async def report_check(
    lake: Lake, repository: str, ref: str, *, name: str, state: str, description: str, actor: Actor
) -> None:
    """Report what a program found of a commit. Raises RepositoryNotFound, NotFound, ReadOnlyRepository."""
    repo, commit = await resolve.commit(lake, repository, ref)
    require_not_read_only(repo, force=False)
    check = Check(name, state, description, actor.name, lake.now)
    await lake.db.apply(reviews.put_check(repo.id, commit.id, check))


async def readiness(lake: Lake, repository: str, pull: str) -> Readiness:
    """What is said of a pull request, and what it lacks. Raises PullRequestNotFound, BranchNotFound."""
    repo, found = await pulls.find(lake, repository, pull)
    return await _readiness(lake, repo, found)


async def require_ready(lake: Lake, repository: str, pull: str) -> CommitId:
    """The commit that may be merged. Raises PullRequestBlocked, PullRequestNotFound, BranchNotFound."""
    found = await readiness(lake, repository, pull)
    if found.missing:
        raise PullRequestBlocked(f"the pull request cannot be merged yet: {'; '.join(found.missing)}")
    return found.commit


async def _readiness(lake: Lake, repository: Repository, pull: PullRequest) -> Readiness:
    _, source = await resolve.branch(lake, repository.name, pull.source)
    said = await reviews.of_pull(lake.db, repository.id, pull.id)
    checks = await reviews.of_commit(lake.db, repository.id, source.commit_id)
    missing: list[str] = []
    if pull.status is PullRequestStatus.OPEN:
        for rule in await _stored(lake, repository):
            if parse_glob(rule.pattern).fullmatch(pull.destination):
                missing += _lacks(rule, said, checks, source.commit_id)
    return Readiness(source.commit_id, tuple(said), tuple(checks), tuple(dict.fromkeys(missing)))


def _lacks(rule: MergeRule, said: list[Review], checks: list[Check], commit: CommitId) -> list[str]:
    now = [one for one in said if one.commit == commit]
    found = [f"{one.reviewer} rejects it" for one in now if one.verdict == "reject"]
    approved = sum(one.verdict == "approve" for one in now)
    if approved < rule.approvals:
        found.append(f"{approved} of {rule.approvals} approvals")
    passed = {one.name for one in checks if one.state == "success"}
    found += [f"check {name} has not passed" for name in rule.checks if name not in passed]
    return found


async def _stored(lake: Lake, repository: Repository) -> list[MergeRule]:
    found = await settings.find(lake.db, repository.id, KEY)
    return [] if found is None else _rules.decode(found[0])
