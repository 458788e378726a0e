# SPDX-License-Identifier: Apache-2.0
"""The cache of task outputs: entries, ages, what is gone, reservations."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from lakehouse.core import marks
from lakehouse.core.errors import CacheEntryExists, CacheEntryNotFound, InvalidArgument
from lakehouse.facades.cache import artifacts
from lakehouse.facades.cache.scope import Scope, parse_scope
from lakehouse.facades.cache.service import CacheOptions, CacheService, Output
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import objects
from lakehouse.versioning.refs import repositories
from lakehouse.wire.cache import CacheMetadata, SourceIdentifier
from tests.lakes import commit_all, error_of, put, shown

pytestmark = pytest.mark.anyio

A = Scope("", "p", "d", "key/with+odd=characters")
AT = Output(uri="s3://elsewhere/o.pb")
SECOND = 1_000_000


def service(lake, *, may_read=lambda *_: True, count=lambda _: None, **options) -> CacheService:
    return CacheService(lake, may_read=may_read, options=CacheOptions(**options), count=count)


@pytest.fixture
def cache(lake) -> CacheService:
    return service(lake)


# -- entries -----------------------------------------------------------------------------------------------------------


async def test_what_is_put_is_found(cache, clock):
    assert await error_of(cache.get(A, user=None)) is CacheEntryNotFound
    metadata = CacheMetadata(source_identifier=SourceIdentifier(resource_type=1, name="t"), key_map={"ü": "\x00"})
    stored = await cache.put(A, Output(uri="s3://elsewhere/o.pb", metadata=metadata))
    assert await cache.get(A, user=None) == stored
    assert stored.created == stored.updated == round(clock.now * SECOND)
    assert stored.metadata == metadata


async def test_the_first_value_stays_until_it_is_overwritten(cache, clock):
    await cache.put(A, AT)
    assert await error_of(cache.put(A, Output(uri="s3://elsewhere/2"))) is CacheEntryExists
    assert (await cache.get(A, user=None)).uri == AT.uri
    clock.now += 5
    again = await cache.put(A, Output(uri="s3://elsewhere/2"), overwrite=True)
    assert (again.updated - again.created) == 5 * SECOND
    assert await cache.get(A, user=None) == again
    told = await cache.put(A, Output(uri="s3://elsewhere/3", created=7), overwrite=True)
    assert told.created == 7


async def test_an_entry_that_is_not_there_is_made_by_overwriting(cache):
    await cache.put(A, AT, overwrite=True)
    assert (await cache.get(A, user=None)).uri == AT.uri


async def test_deleting_evicts_and_says_when_nothing_is_there(cache):
    await cache.put(A, AT)
    await cache.delete(A)
    assert await error_of(cache.get(A, user=None)) is CacheEntryNotFound
    assert await error_of(cache.delete(A)) is CacheEntryNotFound


async def test_ages(cache, clock):
    await cache.put(A, AT)
    clock.now += 10
    assert (await cache.get(A, user=None, max_age=10)).uri == AT.uri
    assert await error_of(cache.put(A, Output(uri="s3://e/2"), max_age=10)) is CacheEntryExists
    clock.now += 0.5
    assert await error_of(cache.get(A, user=None, max_age=10)) is CacheEntryNotFound
    assert (await cache.get(A, user=None, max_age=0)).uri == AT.uri, "no limit"
    assert await error_of(cache.put(A, Output(uri="s3://e/2"), max_age=0)) is CacheEntryExists, "no limit either"
    await cache.put(A, Output(uri="s3://e/2"), max_age=10)
    assert (await cache.get(A, user=None, max_age=10)).uri == "s3://e/2"


async def test_entries_that_are_kept_for_some_time_only(lake, clock):
    cache = service(lake, keep=60)
    await cache.put(A, Output(body=b"1"))
    clock.now += 61
    assert await error_of(cache.get(A, user=None)) is CacheEntryNotFound
    assert await cache.evict_old() == 1
    assert await cache.evict_old() == 0
    assert await shown(lake, artifacts.CACHE_REPOSITORY, "main") == {}
    await cache.put(A, AT)
    clock.now += 61
    await cache.put(A, Output(uri="s3://e/2"))
    assert (await cache.get(A, user=None)).uri == "s3://e/2"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Scope("", "a", "b-c", "k"), Scope("", "a-b", "c", "k")),
        (Scope("o", "p", "d", "k"), Scope("", "p", "d", "k")),
        (Scope("o", "p", "d", "k"), Scope("o2", "p", "d", "k")),
        (Scope("", "p", "d", "k"), Scope("", "p", "d", "k ")),
        (Scope("", "p", "", "dk"), Scope("", "p", "d", "k")),
    ],
)
async def test_scopes_do_not_mix(cache, one, other):
    await cache.put(one, AT)
    assert await error_of(cache.get(other, user=None)) is CacheEntryNotFound
    assert (await cache.claim(one, "a")).owner == "a"
    assert (await cache.claim(other, "b")).owner == "b"


async def test_organisations_can_be_ignored(lake):
    cache = service(lake, ignore_org=True)
    await cache.put(Scope("o", "p", "d", "k"), AT)
    assert (await cache.get(Scope("o2", "p", "d", "k"), user=None)).uri == AT.uri


@pytest.mark.parametrize("key", ["", "  ", "k" * 513, "\ud800"])
def test_keys_that_are_none(key):
    with pytest.raises(InvalidArgument):
        parse_scope(org="", project="p", domain="d", key=key)


@pytest.mark.parametrize("part", ["a/b", "a" * 64])
def test_names_that_are_none(part):
    for name in ("org", "project", "domain"):
        with pytest.raises(InvalidArgument, match=name):
            parse_scope(**{"org": "", "project": "", "domain": "", "key": "k", name: part})
    assert parse_scope(org="", project="", domain="", key="k" * 512).key == "k" * 512


@pytest.mark.parametrize(
    "output",
    [
        Output(),
        Output(uri=" "),
        Output(uri="s3://a/b", body=b""),
        Output(uri="s" * 8193),
        Output(uri="s3://a/b", created=-1),
        Output(uri="s3://a/b", metadata=CacheMetadata(key_map={"k": "v" * 65_536})),
        Output(uri="s3://a/b", metadata=CacheMetadata(key_map={"k": "\ud800"})),
    ],
)
async def test_outputs_that_cannot_be_kept(cache, output):
    assert await error_of(cache.put(A, output)) is InvalidArgument
    assert await error_of(cache.get(A, user=None)) is CacheEntryNotFound


async def test_of_many_writers_one_is_first(cache):
    outcomes = await asyncio.gather(*(error_of(cache.put(A, Output(uri=f"s3://e/{n}"))) for n in range(20)))
    assert Counter(outcomes) == {None: 1, CacheEntryExists: 19}


async def test_of_many_who_overwrite_the_last_one_stays_whole(cache, lake):
    await asyncio.gather(*(cache.put(A, Output(body=b"%d" % n), overwrite=True) for n in range(10)))
    found = await cache.get(A, user=None)
    assert found.body in {b"%d" % n for n in range(10)}
    assert len(await shown(lake, artifacts.CACHE_REPOSITORY, "main")) == 1, "the others are discarded"


async def test_outcomes_are_counted(lake, clock):
    seen: Counter[str] = Counter()
    cache = service(lake, count=lambda outcome: seen.update([outcome]))
    await error_of(cache.get(A, user=None))
    await cache.put(A, AT)
    await error_of(cache.put(A, AT))
    await cache.get(A, user=None)
    clock.now += 2
    await error_of(cache.get(A, user=None, max_age=1))
    await cache.put(A, AT, overwrite=True)
    await cache.delete(A)
    for owner in ("a", "b", "a"):
        await cache.claim(A, owner)
    await cache.release(A, "a")
    assert seen == dict.fromkeys(
        ["miss", "stored", "exists", "hit", "stale", "replaced", "evicted", "claimed", "held", "extended", "released"],
        1,
    )


# -- outputs as objects ------------------------------------------------------------------------------------------------


async def test_outputs_that_the_cache_keeps_are_objects_of_a_plain_repository(cache, lake):
    stored = await cache.put(Scope("o", "p", "d", A.key), Output(body=b"literals"))
    repository = await resolve.repository(lake, artifacts.CACHE_REPOSITORY)
    assert marks.is_plain(repository)
    [path] = await shown(lake, repository.name, "main")
    assert path.startswith("outputs/o/p/d/")
    assert stored.uri == f"s3://flyte-cache/{path}"
    found = await cache.get(Scope("o", "p", "d", A.key), user=None)
    assert (found.body, found.uri) == (b"literals", stored.uri)
    assert await commit_all(lake, repository.name, "main")


async def test_outputs_in_a_repository_with_branches_are_named_with_theirs(cache, lake):
    await repositories.create_repository(lake, repositories.RepositoryRequest(name="flyte-cache", default_branch="b"))
    stored = await cache.put(A, Output(body=b"x"))
    assert stored.uri.startswith("s3://flyte-cache/b/outputs/p/d/")
    assert (await cache.get(A, user=None)).body == b"x"


async def test_outputs_that_nobody_needs_go(cache, lake):
    await cache.put(A, Output(body=b"1"))
    assert await error_of(cache.put(A, Output(body=b"2"))) is CacheEntryExists
    assert len(await shown(lake, "flyte-cache", "main")) == 1
    await cache.put(A, Output(body=b"2"), overwrite=True)
    assert len(await shown(lake, "flyte-cache", "main")) == 1
    assert (await cache.get(A, user=None)).body == b"2"
    await cache.delete(A)
    assert await shown(lake, "flyte-cache", "main") == {}


async def test_an_entry_whose_kept_outputs_were_deleted_is_a_miss(cache, lake):
    await cache.put(A, Output(body=b"1"))
    [path] = await shown(lake, "flyte-cache", "main")
    await objects.delete_object(lake, "flyte-cache", "main", path.encode())
    assert await error_of(cache.get(A, user=None)) is CacheEntryNotFound
    await cache.put(A, Output(body=b"2"))
    await repositories.delete_repository(lake, "flyte-cache", force=True)
    assert await error_of(cache.get(A, user=None)) is CacheEntryNotFound
    await cache.put(A, Output(body=b"3"))
    assert (await cache.get(A, user=None)).body == b"3"


@pytest.mark.parametrize(
    ("uri", "gone"),
    [
        ("s3://data/main/a/o.pb", False),
        ("s3://data/main/a/p.pb", True),
        ("s3a://data/main/a/p.pb", True),
        ("s3://data/main/a/", False),
        ("s3://data/main/b/", True),
        ("s3://data/main/odd%20name%25", False),
        ("s3://data/main/odd name%", False),
        ("s3://data/main/odd%20name%25?q#f", False),
        ("s3://data/nobranch/a/o.pb", True),
        ("s3://data/0123456789abcdef/a/o.pb", True),
        ("s3://data/only-one-part", False),
        ("s3://nowhere/main/p", False),
        ("s3://data", False),
        ("gs://data/main/p", False),
        ("https://example.org/data/main/p", False),
        ("s3://data/a^b:c~1/p", False),
        ("s3://data/main/" + "p" * 1100, False),
    ],
)
async def test_pointers_whose_object_is_gone_are_misses(cache, lake, uri, gone):
    await repositories.create_repository(lake, repositories.RepositoryRequest(name="data"))
    await put(lake, "data", "main", **{"a__o.pb": "1", "odd name%": "2"})
    await cache.put(A, Output(uri=uri))
    assert await error_of(cache.get(A, user=None)) is (CacheEntryNotFound if gone else None)
    await cache.put(A, Output(uri="s3://e/2"), overwrite=not gone)  # a miss makes room


async def test_pointers_into_plain_repositories_name_no_branch(cache, lake):
    await repositories.create_repository(lake, repositories.RepositoryRequest(name="data"))
    await repositories.update_metadata(lake, "data", put={marks.PLAIN: "true"})
    await put(lake, "data", "main", o="1")
    await cache.put(A, Output(uri="s3://data/o"))
    assert (await cache.get(A, user=None)).uri == "s3://data/o"
    await objects.delete_object(lake, "data", "main", b"o")
    assert await error_of(cache.get(A, user=None)) is CacheEntryNotFound


async def test_what_the_caller_may_not_read_is_not_looked_at(lake):
    asked = []

    def may_read(user, repository, path):
        asked.append((user, repository, path))
        return False

    await repositories.create_repository(lake, repositories.RepositoryRequest(name="data"))
    cache = service(lake, may_read=may_read)
    await cache.put(A, Output(uri="s3://data/main/secret"))
    assert (await cache.get(A, user=None)).uri == "s3://data/main/secret"
    assert asked == [(None, "data", "secret")]


# -- reservations ------------------------------------------------------------------------------------------------------


async def test_one_owner_at_a_time(cache, clock):
    first = await cache.claim(A, "a", heartbeat=2)
    assert (first.owner, first.heartbeat) == ("a", 2 * SECOND)
    assert first.expires == round((clock.now + 6) * SECOND)
    clock.now += 5
    assert await cache.claim(A, "b", heartbeat=1) == first, "the holder's, as the holder asked"
    extended = await cache.claim(A, "a", heartbeat=2)
    assert extended.expires == round((clock.now + 6) * SECOND)
    clock.now += 6
    assert (await cache.claim(A, "b")).owner == "b", "its time is over"
    assert (await cache.claim(A, "a")).owner == "b"


@pytest.mark.parametrize(("asked", "given"), [(0.0, 10), (-1.0, 10), (10.0, 10), (11.0, 10), (0.5, 0.5), (9.99, 9.99)])
async def test_heartbeats_have_a_limit_and_keep_their_fractions(cache, clock, asked, given):
    held = await cache.claim(A, "a", heartbeat=asked)
    assert held.heartbeat == round(given * SECOND)
    assert held.expires == round((clock.now + 3 * given) * SECOND)


async def test_limit_and_grace_are_options(lake, clock):
    held = await service(lake, max_heartbeat=60, grace=2).claim(A, "a", heartbeat=50)
    assert held.expires == round((clock.now + 100) * SECOND)


async def test_release(cache):
    await cache.release(A, "nobody")
    await cache.claim(A, "a")
    await cache.release(A, "b")
    assert (await cache.claim(A, "b")).owner == "a", "another's stays"
    await cache.release(A, "a")
    await cache.release(A, "a")
    assert (await cache.claim(A, "b")).owner == "b"


@pytest.mark.parametrize("owner", ["", " ", "o" * 513])
async def test_owners_that_are_none(cache, owner):
    assert await error_of(cache.claim(A, owner)) is InvalidArgument
    assert await error_of(cache.release(A, owner)) is InvalidArgument


async def test_of_many_claims_one_holds(cache, clock):
    for _ in range(3):
        held = await asyncio.gather(*(cache.claim(A, f"owner {n}") for n in range(50)))
        assert len({one.owner for one in held}) == 1
        clock.now += 31  # the next round takes over what has expired


async def test_forgotten_reservations_are_removed(cache, clock, lake):
    await cache.claim(A, "a")
    clock.now += 3600
    assert await cache.evict_old() == 0
    clock.now += 31
    assert await cache.evict_old() == 1
    assert await lake.db.one("select count(*) from cache_reservations") == (0,)
