# SPDX-License-Identifier: Apache-2.0
"""The staging contract, on the engine."""

from __future__ import annotations

import msgspec
import pytest

from lakehouse.core.errors import (
    BranchNotFound,
    InvalidAddress,
    InvalidArgument,
    InvalidToken,
    LinkAddressExpired,
    LinkAddressInvalid,
    MissingValue,
    NoChanges,
    PreconditionFailed,
    RepositoryNotFound,
    StagingMoved,
)
from lakehouse.core.paths import parse_path
from lakehouse.db.statement import Statement
from lakehouse.versioning.commits import commit, reset
from lakehouse.versioning.objects import batches, listing, objects, staging
from lakehouse.versioning.refs import branches
from tests.lakes import by_column

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
    batch = await batches.open_batch(lake, repo, "main", atomic=atomic)
    for at in range(0, count, 1000):
        part = range(at, min(at + 1000, count))
        await batch.add(by_column([a_link(where[n], paths[n], token=where[n].token) for n in part]))
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
    batch = await batches.open_batch(lake, repo, "main", atomic=True)
    await batch.add(by_column([a_link(at, path) for at, path in zip(where, paths, strict=True)]))
    with pytest.raises(LinkAddressInvalid):
        await batch.add(by_column([a_link(where[0], parse_path("other"))]))
    await batch.abandon()
    _, page = await listing.list_objects(lake, repo, "main", listing.Query())
    assert page.items == ()


@pytest.mark.parametrize("atomic", [False, True])
async def test_links_are_judged_alike_by_the_page_and_alone(lake, repo, monkeypatch, atomic):
    """What a page of good links stages is what the same links stage one by one, to the byte."""
    paths = [parse_path(f"p/{number:03}") for number in range(2 * batches.SLICE + 7)]
    links = []
    for number, path in enumerate(paths):
        where = await staging.get_physical_address(lake, repo, "main", path)
        link = a_link(where, path, token=where.token if number % 3 else None, checksum='"c" ', size=number)
        more = {"mtime": number or None, "content_type": "x/y" * (number % 2), "metadata": {"b": "1", "a": "é"}}
        links.append(msgspec.structs.replace(link, **(more if number % 5 else {})))

    async def staged():
        batch = await batches.open_batch(lake, repo, "main", atomic=atomic)
        assert await batch.add(by_column(links)) == [None] * len(links)
        await batch.finish()
        return await lake.db.all("select path, value from staged order by path")

    with monkeypatch.context() as patch:
        patch.setattr(batches.Batch, "_one_by_one", None)
        together = await staged()
    await reset.reset_branch(lake, repo, "main")
    links = [msgspec.structs.replace(link, token=None) for link in links]
    await lake.db.apply(Statement("delete from staged"))
    monkeypatch.setattr(batches.Batch, "_together", lambda self, links, part: None)
    assert await staged() == together
    assert len(together) == len(paths)


async def test_one_bad_link_does_not_spoil_its_page(lake, repo, clock):
    paths = [parse_path(f"p/{number:03}") for number in range(batches.SLICE)]
    old = await staging.get_physical_address(lake, repo, "main", paths[0])
    clock.now += lake.address_validity + 1
    where = [one async for page in await staging.get_physical_addresses(lake, repo, "main", paths) for _, one in page]
    good = [a_link(at, path, token=at.token) for at, path in zip(where, paths, strict=True)]
    wrong = {
        0: (a_link(old), LinkAddressInvalid),
        1: (a_link(old, paths[0]), LinkAddressExpired),
        2: (msgspec.structs.replace(good[2], checksum='""'), MissingValue),
        3: (msgspec.structs.replace(good[3], token="forged"), InvalidToken),
        4: (msgspec.structs.replace(good[4], metadata={"k": "v" * 10_000}), InvalidArgument),
        5: (msgspec.structs.replace(good[5], physical_address="mem://elsewhere"), InvalidAddress),
        6: (msgspec.structs.replace(good[6], physical_address=tampered(where[6].physical_address)), LinkAddressInvalid),
    }
    for number, (link, error) in wrong.items():
        batch = await batches.open_batch(lake, repo, "main", atomic=False)
        answers = await batch.add(by_column([*good[:number], link, *good[number + 1 :]]))
        assert [type(answer) for answer in answers] == [error if n == number else type(None) for n in range(len(good))]
        atomic = await batches.open_batch(lake, repo, "main", atomic=True)
        with pytest.raises(error, match=f"item {number}"):
            await atomic.add(by_column([*good[:number], link, *good[number + 1 :]]))


async def test_item_batch_answers_each(lake, repo):
    where = await staging.get_physical_address(lake, repo, "main", PATH)
    batch = await batches.open_batch(lake, repo, "main", atomic=False)
    good, bad = await batch.add(by_column([a_link(where), a_link(where, parse_path("other"))]))
    assert good is None
    assert isinstance(bad, LinkAddressInvalid)
