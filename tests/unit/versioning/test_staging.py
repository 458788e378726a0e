# SPDX-License-Identifier: Apache-2.0
"""The staging contract, on the engine."""

from __future__ import annotations

import pytest

from lakehouse.core.errors import (
    BranchNotFound,
    InvalidToken,
    LinkAddressExpired,
    LinkAddressInvalid,
    NoChanges,
    PreconditionFailed,
    RepositoryNotFound,
    StagingMoved,
)
from lakehouse.core.paths import parse_path
from lakehouse.versioning import branches, commit, listing, objects, reset, staging

pytestmark = pytest.mark.anyio
PATH = parse_path("a/b.parquet")


def a_link(location, path=PATH, token=None, checksum="c1", size=3):
    return staging.Link(
        path=path, physical_address=location.physical_address, checksum=checksum, size=size, token=token
    )


def tampered(address):
    at = address.rindex(",") + 10
    return address[:at] + ("B" if address[at] == "A" else "A") + address[at + 1 :]


async def test_link_then_read_then_commit(lake, repo, actor):
    where = await staging.get_physical_address(lake, repo, "main", PATH)
    linked = await staging.link_physical_address(lake, repo, "main", a_link(where, token=where.token))
    assert linked.uri == where.physical_address
    assert (await objects.stat_object(lake, repo, "main", PATH)).entry.checksum == "c1"
    made = await commit.commit(lake, repo, "main", commit.CommitRequest("first"), actor)
    assert (await objects.stat_object(lake, repo, made.id, PATH)).entry.checksum == "c1"
    _, page = await listing.list_objects(lake, repo, "main", listing.Query())
    assert [item.path for item in page.items] == [PATH]


async def test_stale_token_is_refused_with_a_location_that_works(lake, repo, actor):
    where = await staging.get_physical_address(lake, repo, "main", PATH)
    first = await staging.get_physical_address(lake, repo, "main", parse_path("x"))
    await staging.link_physical_address(lake, repo, "main", a_link(first, parse_path("x")))
    await commit.commit(lake, repo, "main", commit.CommitRequest("takes the staging area"), actor)
    with pytest.raises(StagingMoved) as moved:
        await staging.link_physical_address(lake, repo, "main", a_link(where, token=where.token))
    fresh = moved.value.location
    assert fresh.physical_address != where.physical_address
    assert fresh.token != where.token
    await staging.link_physical_address(lake, repo, "main", a_link(where, token=fresh.token))
    await staging.link_physical_address(lake, repo, "main", a_link(fresh, token=fresh.token))


async def test_without_a_token_a_commit_in_between_does_not_matter(lake, repo, actor):
    where = await staging.get_physical_address(lake, repo, "main", PATH)
    await commit.commit(lake, repo, "main", commit.CommitRequest("empty", allow_empty=True), actor)
    await staging.link_physical_address(lake, repo, "main", a_link(where))


async def test_failed_commit_and_seal_leave_tokens_valid(lake, repo, actor):
    where = await staging.get_physical_address(lake, repo, "main", PATH)
    await objects.delete_object(lake, repo, "main", parse_path("never-there"))
    with pytest.raises(NoChanges):
        await commit.commit(lake, repo, "main", commit.CommitRequest("nothing"), actor)
    await staging.link_physical_address(lake, repo, "main", a_link(where, token=where.token))


async def test_reset_of_everything_makes_tokens_stale(lake, repo):
    where = await staging.get_physical_address(lake, repo, "main", PATH)
    await reset.reset_branch(lake, repo, "main")
    with pytest.raises(StagingMoved):
        await staging.link_physical_address(lake, repo, "main", a_link(where, token=where.token))


async def test_tampered_foreign_and_expired(lake, repo, actor, clock):
    await branches.create_branch(lake, repo, "other", source="main", actor=actor)
    where = await staging.get_physical_address(lake, repo, "main", PATH)
    elsewhere = await staging.get_physical_address(lake, repo, "other", PATH)
    for wrong in (
        a_link(where, parse_path("another")),
        staging.Link(path=PATH, physical_address=tampered(where.physical_address), checksum="c", size=1),
        staging.Link(path=PATH, physical_address=where.physical_address.rpartition(",")[0], checksum="c", size=1),
        a_link(elsewhere),
    ):
        with pytest.raises(LinkAddressInvalid):
            await staging.link_physical_address(lake, repo, "main", wrong)
    with pytest.raises(InvalidToken):
        await staging.link_physical_address(lake, repo, "main", a_link(where, token=elsewhere.token))
    with pytest.raises(InvalidToken):
        await staging.link_physical_address(lake, repo, "main", a_link(where, token="forged"))
    clock.now += 24 * 3600 + 1
    with pytest.raises(LinkAddressExpired):
        await staging.link_physical_address(lake, repo, "main", a_link(where))


async def test_unknown_names(lake, repo):
    with pytest.raises(BranchNotFound):
        await staging.get_physical_address(lake, repo, "nope", PATH)
    with pytest.raises(RepositoryNotFound):
        await staging.get_physical_address(lake, "nope", "main", PATH)


async def test_if_absent(lake, repo, actor):
    where = await staging.get_physical_address(lake, repo, "main", PATH)
    await staging.link_physical_address(lake, repo, "main", a_link(where), if_absent=True)
    with pytest.raises(PreconditionFailed):
        await staging.link_physical_address(lake, repo, "main", a_link(where), if_absent=True)
    await commit.commit(lake, repo, "main", commit.CommitRequest("there"), actor)
    with pytest.raises(PreconditionFailed):
        await staging.link_physical_address(lake, repo, "main", a_link(where), if_absent=True)
    await objects.delete_object(lake, repo, "main", PATH)
    await staging.link_physical_address(lake, repo, "main", a_link(where), if_absent=True)


@pytest.mark.parametrize("count", [3, 2500])
@pytest.mark.parametrize("atomic", [False, True])
async def test_batches(lake, repo, actor, count, atomic):
    paths = [parse_path(f"p/{number:05}") for number in range(count)]
    where = [one async for page in await staging.get_physical_addresses(lake, repo, "main", paths) for _, one in page]
    batch = await staging.open_batch(lake, repo, "main", atomic=atomic)
    for at in range(0, count, 1000):
        await batch.add([a_link(where[n], paths[n], token=where[n].token) for n in range(at, min(at + 1000, count))])
    if atomic:
        _, page = await listing.list_objects(lake, repo, "main", listing.Query())
        assert page.items == ()
    await batch.finish()
    _, page = await listing.list_objects(lake, repo, "main", listing.Query(amount=1000, after=b"p/00000"))
    assert len(page.items) == min(1000, count - 1)
    await commit.commit(lake, repo, "main", commit.CommitRequest("batch"), actor)
    with pytest.raises(NoChanges):
        await commit.commit(lake, repo, "main", commit.CommitRequest("again"), actor)


async def test_atomic_batch_with_one_bad_link_links_nothing(lake, repo):
    paths = [parse_path(f"p/{number:05}") for number in range(1500)]
    where = [one async for page in await staging.get_physical_addresses(lake, repo, "main", paths) for _, one in page]
    batch = await staging.open_batch(lake, repo, "main", atomic=True)
    await batch.add([a_link(at, path) for at, path in zip(where, paths, strict=True)])
    with pytest.raises(LinkAddressInvalid):
        await batch.add([a_link(where[0], parse_path("other"))])
    await batch.abandon()
    _, page = await listing.list_objects(lake, repo, "main", listing.Query())
    assert page.items == ()


async def test_item_batch_answers_each(lake, repo):
    where = await staging.get_physical_address(lake, repo, "main", PATH)
    batch = await staging.open_batch(lake, repo, "main", atomic=False)
    good, bad = await batch.add([a_link(where), a_link(where, parse_path("other"))])
    assert good is None
    assert isinstance(bad, LinkAddressInvalid)
