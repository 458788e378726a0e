# SPDX-License-Identifier: Apache-2.0
"""What the numbers and rows of a branch promise to those who rely on them: version, epoch, reflog, ids."""

from __future__ import annotations

import msgspec
import pytest

from lakehouse.core.errors import InvalidToken, LinkAddressInvalid, NoChanges, OutcomeUnknown, ProtectedBranch
from lakehouse.core.paths import parse_path
from lakehouse.meta import reflog
from lakehouse.meta import staging as rows
from lakehouse.versioning import protection, resolve
from lakehouse.versioning.commits import commit, commit_record, compact, merge, pick, reset
from lakehouse.versioning.objects import batches, listing, objects, prefixes, staging
from lakehouse.versioning.refs import branches, repositories, tags
from tests.lakes import ANN, by_column, commit_all, error_of, lake_on, link, put, seal, shown
from tests.unit.tree.forest import entry

pytestmark = pytest.mark.anyio


async def the(lake, repo, branch="main"):
    return (await resolve.branch(lake, repo, branch))[1]


async def batch_of(lake, repo, count):
    batch = await batches.open_batch(lake, repo, "main", atomic=True)
    for number in range(count):
        path = parse_path(f"batch/{number}")
        where = await staging.get_physical_address(lake, repo, "main", path)
        await batch.add(
            by_column([staging.Link(path=path, physical_address=where.physical_address, checksum="c", size=1)])
        )
    await batch.finish()


async def copied(lake, repo):
    await prefixes.copy_prefix(
        lake, repo, "main", prefixes.PrefixRequest(b"kept", b"copy"), allow=lambda source, target: None
    )


async def failed_commit(lake, repo):
    await objects.delete_object(lake, repo, "main", b"never-there")
    await seal(lake, repo, "main")
    await reset.reset_object(lake, repo, "main", b"staged")
    assert await error_of(commit_all(lake, repo, "main")) is NoChanges


async def clean(lake, repo):
    await reset.reset_object(lake, repo, "main", b"staged")


async def merged(lake, repo):
    await clean(lake, repo)
    await merge.merge_into_branch(lake, repo, "side", "main", merge.MergeRequest(), ANN)


async def reverted(lake, repo):
    await clean(lake, repo)
    await pick.revert_branch(lake, repo, "main", ref="main", parent_number=0, actor=ANN)


async def picked(lake, repo):
    await clean(lake, repo)
    await pick.cherry_pick(lake, repo, "main", ref="side", parent_number=None, actor=ANN)


async def compacted(lake, repo):
    await compact.compact(lake, repo, await the(lake, repo), anyway=True)


NAMES = {
    "link": lambda lake, repo: link(lake, repo, "main", "new"),
    "delete": lambda lake, repo: objects.delete_object(lake, repo, "main", b"kept"),
    "metadata": lambda lake, repo: objects.update_object_user_metadata(lake, repo, "main", b"kept", {"k": "v"}),
    "reset of a path": lambda lake, repo: reset.reset_object(lake, repo, "main", b"staged"),
    "small batch": lambda lake, repo: batch_of(lake, repo, 3),
    "large batch": lambda lake, repo: batch_of(lake, repo, batches.PUBLISH_ABOVE + 1),
    "copy": copied,
    "seal": lambda lake, repo: seal(lake, repo, "main"),
    "compaction": compacted,
    "commit": lambda lake, repo: commit_all(lake, repo, "main"),
    "failed commit": failed_commit,
    "merge": merged,
    "revert": reverted,
    "cherry-pick": picked,
    "hard reset": lambda lake, repo: reset.hard_reset_branch(lake, repo, "main", ref="main~", actor=ANN),
    "reset": lambda lake, repo: reset.reset_branch(lake, repo, "main"),
}
ROWS_ONLY = {"link", "delete", "metadata", "reset of a path", "small batch"}
"""They change rows of the current staging area, neither head nor base nor the list of tokens."""
STAGED_DATA_LEAVES = {"commit", "reset"}


@pytest.mark.parametrize("name", NAMES)
async def test_version_and_epoch(lake, repo, name):
    """The version grows with head, base and tokens; the epoch only when staged data leaves the branch."""
    await put(lake, repo, "main", kept="1")
    await commit_all(lake, repo, "main", "first")
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    await put(lake, repo, "side", s="1")
    await commit_all(lake, repo, "side")
    await put(lake, repo, "main", staged="1")
    before = await the(lake, repo)
    await NAMES[name](lake, repo)
    after = await the(lake, repo)
    assert (after.version > before.version) == (name not in ROWS_ONLY)
    assert (after.epoch > before.epoch) == (name in STAGED_DATA_LEAVES)
    state = [(one.commit_id, one.base, one.staging_token, one.sealed) for one in (before, after)]
    assert (state[0] != state[1]) == (name not in ROWS_ONLY)


async def test_every_move_of_a_head_is_in_the_reflog(lake, repo):
    await put(lake, repo, "main", kept="1")
    await commit_all(lake, repo, "main")
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    await put(lake, repo, "side", s="1")
    await commit_all(lake, repo, "side")
    await merged(lake, repo)
    await pick.revert_branch(lake, repo, "main", ref="main", parent_number=1, actor=ANN)
    await picked(lake, repo)
    await reset.hard_reset_branch(lake, repo, "main", ref="main~2", actor=ANN)
    main = await the(lake, repo)
    moves = (await reflog.page(lake.db, main.id, before=None, limit=100))[::-1]
    assert [move.operation for move in moves] == ["create", "commit", "merge", "revert", "cherry_pick", "hard_reset"]
    assert [move.sequence for move in moves] == [1, 2, 3, 4, 5, 6]
    assert [move.old for move in moves] == ["", *(move.new for move in moves[:-1])]
    assert moves[-1].new == main.commit_id
    assert {move.actor for move in moves[1:]} == {ANN.name}


class Lossy:
    """A database whose connection breaks at the COMMIT of a head's move, before it or after it."""

    def __init__(self, db, *, after):
        self._db = db
        self._after = after

    def __getattr__(self, name):
        return getattr(self._db, name)

    async def apply(self, *statements):
        if any(one.sql.startswith("update refs set commit_id") for one in statements):
            if self._after:
                await self._db.apply(*statements)
            raise OutcomeUnknown
        return await self._db.apply(*statements)


async def test_a_connection_that_breaks_after_the_commit(lake, repo):
    """The head is what was to be made: it was made, and it is not made again."""
    await put(lake, repo, "main", a="1")
    lossy = msgspec.structs.replace(lake, db=Lossy(lake.db, after=True))
    made = await commit.commit(lossy, repo, "main", commit.CommitRequest("m"), ANN)
    main = await the(lake, repo)
    assert main.commit_id == made.id
    assert await shown(lake, repo, "main@") == {"a": "1"}
    assert len(await reflog.page(lake.db, main.id, before=None, limit=10)) == 2
    await put(lake, repo, "main", b="1")
    later = await commit_all(lake, repo, "main")
    assert later.parents == (made.id,)


async def test_a_connection_that_breaks_before_the_commit(lake, repo):
    await put(lake, repo, "main", a="1")
    lossy = msgspec.structs.replace(lake, db=Lossy(lake.db, after=False))
    before = (await the(lake, repo)).commit_id
    assert await error_of(commit.commit(lossy, repo, "main", commit.CommitRequest("m"), ANN)) is OutcomeUnknown
    assert (await the(lake, repo)).commit_id == before
    assert await shown(lake, repo, "main") == {"a": "1"}
    await commit_all(lake, repo, "main")
    assert await shown(lake, repo, "main@") == {"a": "1"}


async def test_two_branches_make_the_same_commit_in_one_second(lake, repo):
    made = set()
    for name in ("one", "two"):
        await branches.create_branch(lake, repo, name, source="main", actor=ANN)
        branch = await the(lake, repo, name)
        await lake.db.apply(rows.put(branch.id, b"a", entry()))
        made.add((await commit_all(lake, repo, name)).id)
    assert len(made) == 1
    assert {(await the(lake, repo, name)).commit_id for name in ("one", "two")} == made


async def test_what_belonged_to_a_deleted_name_is_worth_nothing(lake, repo):
    """Ids decide, which are never used again, not names."""
    await branches.create_branch(lake, repo, "dev", source="main", actor=ANN)
    path = parse_path("a")
    where = await staging.get_physical_address(lake, repo, "dev", path)
    await branches.delete_branch(lake, repo, "dev")
    await branches.create_branch(lake, repo, "dev", source="main", actor=ANN)
    wish = staging.Link(path=path, physical_address=where.physical_address, checksum="c", size=1, token=where.token)
    assert await error_of(staging.link_physical_address(lake, repo, "dev", wish)) is InvalidToken
    await put(lake, repo, "dev", x="1")
    old, first = await resolve.commit(lake, repo, "main")
    await repositories.delete_repository(lake, repo, force=False)
    again = repositories.RepositoryRequest(name=repo, storage_namespace=old.storage_namespace, bare=True)
    await repositories.create_repository(lake, again)
    await commit_record.create_commit_record(lake, repo, first)
    await branches.create_branch(lake, repo, "dev", source=first.id, actor=ANN)
    wish = msgspec.structs.replace(wish, token=None)
    assert await error_of(staging.link_physical_address(lake, repo, "dev", wish)) is LinkAddressInvalid
    assert await shown(lake, repo, "dev") == {}


ODD = ["B", "_x", "a", "a.b", "a/b", "a0", "ab", "z", "Ä", "ä", "\ud7ff", "\U0001f30a"]
"""In order of their bytes, which no collation of people's has."""


@pytest.mark.parametrize("where", ["staged", "sealed", "committed"])
async def test_paths_are_in_order_of_their_bytes(lake, repo, where):
    for path in reversed(ODD):
        await link(lake, repo, "main", path)
    if where == "sealed":
        await seal(lake, repo, "main")
    elif where == "committed":
        await commit_all(lake, repo, "main")
    _, page = await listing.list_objects(lake, repo, "main", listing.Query())
    assert [item.path.decode() for item in page.items] == ODD == sorted(ODD, key=str.encode)
    found, after = [], b""
    while True:
        _, page = await listing.list_objects(lake, repo, "main", listing.Query(amount=1, after=after))
        found += [item.path.decode() for item in page.items]
        after = page.items[-1].path
        if not page.has_more:
            break
    assert found == ODD


async def test_names_are_in_order_of_their_bytes(lake, repo):
    for name in ("b", "B", "a_", "a-", "a", "ab"):
        await branches.create_branch(lake, repo, name, source="main", actor=ANN)
    page = await branches.list_branches(lake, repo, prefix="", after="", amount=10)
    assert [one.name for one in page.items] == ["B", "a", "a-", "a_", "ab", "b", "main"]
    for name in ("ä", "Z", "z", "v.1", "v-1"):
        await tags.create_tag(lake, repo, name, ref="main")
    listed = await branches.list_tags(lake, repo, prefix="", after="", amount=10)
    assert [one.name for one in listed.items] == ["Z", "v-1", "v.1", "z", "ä"]


async def test_a_rule_of_another_process_counts_at_once(lake, repo):
    other = lake_on(lake.db, lake.stores.default.objects, lake.clock)
    for _ in range(2):
        await link(lake, repo, "main", "a")
        await protection.set_rules(other, await resolve.repository(other, repo), ["main"], if_etag=None)
        assert await error_of(link(lake, repo, "main", "a")) is ProtectedBranch
        await protection.set_rules(other, await resolve.repository(other, repo), [], if_etag=None)


async def test_identity_decides_whether_a_source_changed(lake, repo):
    """Deleted and put back at another address: another tree, and yet no change."""
    await put(lake, repo, "main", a="1", b="1")
    await commit_all(lake, repo, "main")
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    await objects.delete_object(lake, repo, "side", b"a")
    await commit_all(lake, repo, "side")
    await put(lake, repo, "side", a="1")
    await commit_all(lake, repo, "side")
    assert (await the(lake, repo, "side")).root != (await the(lake, repo)).root
    wish = merge.MergeRequest()
    assert await error_of(merge.merge_into_branch(lake, repo, "side", "main", wish, ANN)) is NoChanges
    await put(lake, repo, "main", b="2")
    await commit_all(lake, repo, "main")
    before = await objects.stat_object(lake, repo, "main", b"a")
    await put(lake, repo, "side", c="1")
    await commit_all(lake, repo, "side")
    await merge.merge_into_branch(lake, repo, "side", "main", wish, ANN)
    after = await objects.stat_object(lake, repo, "main", b"a")
    assert after.uri == before.uri, "the destination's entry stays, byte for byte"
