# SPDX-License-Identifier: Apache-2.0
"""Merges, reverts and picks that wait for one branch go onto it together, each on top of the one before.

Their nodes are stored at once and their commits land in one guarded transaction, so that many cost little more than
one. It is as if they had come one after the other: who fails is told only when those before have landed, and a lost
race runs all of them again on the new head. What lands does not depend on whether its caller is still there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import BranchNotFound, DirtyBranch, LakehouseError, LostRace
from lakehouse.core.ids import CommitId
from lakehouse.core.records import Branch, Commit
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.commit import Landing, land, seal
from lakehouse.versioning.staged import sweep_guard
from lakehouse.versioning.staged.uncommitted import has_nothing, is_dirty
from lakehouse.versioning.state.held_nodes import HeldNodes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from lakehouse.core.ids import StagingToken
    from lakehouse.core.records import Repository
    from lakehouse.db.statement import Statement
    from lakehouse.versioning.commits.commit import Note
    from lakehouse.versioning.commits.watched import Watched
    from lakehouse.versioning.lake import Actor, Lake
    from lakehouse.versioning.state.turns import Turn

    Build = Callable[["Ground"], Awaitable[tuple[Commit, bytes | None]]]
    """Makes a commit, and the filter over its changes, on top of a head."""

MOST = 32
"""Commits of one transaction."""


class Ground(msgspec.Struct, frozen=True):
    """What a commit is built on: a head, and where its tree is read and the new one written.

    `known` has the commits that the head descends from and that have not landed yet.
    """

    head: Commit
    tree: HeldNodes
    known: dict[CommitId, Commit]


class Passenger:
    """A commit that somebody wants on a branch; `done` has it, or why not.

    One with a note, which may refuse the transaction, travels alone; so does one whose hooks take their time.
    """

    def __init__(
        self, build: Build, operation: str, actor: Actor, *, note: Note | None, watched: Watched | None, slow: bool
    ) -> None:
        self.build = build
        self.operation = operation
        self.actor = actor
        self.watched = watched
        self.slow = slow
        self.alone = slow or note is not None
        self._note = note
        self.done: asyncio.Future[Commit] = asyncio.get_running_loop().create_future()

    def tell(self, outcome: Commit | BaseException) -> None:
        """Say what became of it, to whoever watches and to whoever still wants to know."""
        if self.watched is not None and isinstance(outcome, Commit):
            self.watched.after(outcome)
        if self.done.done():
            return
        if isinstance(outcome, Commit):
            self.done.set_result(outcome)
        else:
            self.done.set_exception(outcome)

    def note(self, made: Commit) -> list[Statement]:
        """What else is stored with the commit."""
        return [*(self._note(made) if self._note else ()), *(self.watched.note(made) if self.watched else ())]


async def on_clean_branch(
    lake: Lake,
    repository: str,
    name: str,
    build: Build,
    *,
    operation: str,
    actor: Actor,
    note: Note | None = None,
    watched: Watched | None = None,
) -> Commit:
    """Put the commit that `build` makes for the branch's head on a branch without uncommitted changes.

    `build` runs again on the new head when another process moved it meanwhile. Uncommitted changes that another
    process is committing are waited for. `note`: what else is stored in the transaction of the commit. `watched`: who
    has to agree to it. Raises DirtyBranch, BranchNotFound, and what `build`, the note and who watches raise.
    """
    _, branch = await resolve.branch(lake, repository, name)
    slow = watched is not None and await watched.present(branch)
    passenger = Passenger(build, operation, actor, note=note, watched=watched, slow=slow)
    waiting: deque[Passenger] | None = lake.turns.trains.get(branch.id)
    if waiting is None:
        lake.turns.trains[branch.id] = deque([passenger])
        lake.background.start(_drive(lake, repository, branch))
    else:
        waiting.append(passenger)
    return await passenger.done


async def _drive(lake: Lake, repository: str, branch: Branch) -> None:
    """Take whoever waits, train after train, until nobody does; others have a turn in between."""
    waiting: deque[Passenger] = lake.turns.trains[branch.id]
    aboard: list[Passenger] = []
    try:
        while waiting:
            aboard = [waiting.popleft()]
            try:
                async with lake.turn(branch.id) as turn:
                    aboard += _others(aboard[0], waiting)
                    if aboard[0].slow:
                        await turn.insist()  # or who is faster moves the branch from under what was agreed to
                    await _carry(lake, repository, branch, aboard, turn)
            except LakehouseError as error:
                _tell(aboard, error)
    except BaseException as error:
        _tell([*aboard, *waiting], error)
        if isinstance(error, asyncio.CancelledError):
            raise
    finally:
        del lake.turns.trains[branch.id]


def _others(first: Passenger, waiting: deque[Passenger]) -> list[Passenger]:
    """Who goes along with the first of those that wait."""
    found: list[Passenger] = []
    while not first.alone and waiting and not waiting[0].alone and len(found) < MOST - 1:
        found.append(waiting.popleft())
    return found


def _tell(passengers: Sequence[Passenger], error: BaseException) -> None:
    for passenger in passengers:
        passenger.tell(error)


async def _carry(lake: Lake, repository: str, seen: Branch, aboard: Sequence[Passenger], turn: Turn) -> None:
    while True:
        repo, branch = await resolve.branch(lake, repository, seen.name)
        if branch.id != seen.id:
            raise BranchNotFound
        if await sweep_guard.waited(lake, repo):
            continue
        idle = await _idle_if_clean(lake, repo, branch, turn)
        if idle is None:
            if await turn.others():
                continue
            raise DirtyBranch
        outcomes, landings = await _build(lake, repo, branch, aboard)
        if landings:
            try:
                await land(lake, repo, branch, landings, taken=idle, turn=turn)
            except LostRace:
                continue
        for passenger, outcome in outcomes:
            passenger.tell(outcome)
        return


async def _build(
    lake: Lake, repository: Repository, branch: Branch, aboard: Sequence[Passenger]
) -> tuple[list[tuple[Passenger, Commit | LakehouseError]], list[Landing]]:
    """The commits of those who are still there, each on top of the one before; their nodes are durable."""
    head = await resolve.get_commit(lake, repository, branch.commit_id)
    tree = lake.held_tree(repository)
    known: dict[CommitId, Commit] = {}
    outcomes: list[tuple[Passenger, Commit | LakehouseError]] = []
    landings: list[Landing] = []
    for passenger in aboard:
        if passenger.done.done():
            continue
        try:
            made, paths = await passenger.build(Ground(head, tree, known))
            if passenger.watched is not None:
                await passenger.watched.before(made, paths, head=head, tree=tree)
        except LakehouseError as error:
            outcomes.append((passenger, error))
            continue
        head = known[made.id] = made
        outcomes.append((passenger, head))
        landings.append(Landing(head, paths, passenger.operation, passenger.actor, passenger.note))
    await tree.flush()
    return outcomes, landings


async def _idle_if_clean(
    lake: Lake, repository: Repository, branch: Branch, turn: Turn
) -> tuple[StagingToken, ...] | None:
    """Sealed areas whose rows change nothing: they must leave the branch with its old head, or a stale tombstone
    would hit what the merge brings. None when something is really uncommitted.
    """
    if await has_nothing(lake, branch):
        return ()
    if await is_dirty(lake, repository, branch):
        return None
    tokens = await seal(lake, repository, branch, turn)
    return None if await is_dirty(lake, repository, branch, tokens) else tokens
