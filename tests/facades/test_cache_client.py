# SPDX-License-Identifier: Apache-2.0
"""Flyte's cache client over a running server: its signatures, and what its methods do."""

from __future__ import annotations

import inspect
import io
import itertools
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from flyteidl.core import literals_pb2

from lakehouse.core.errors import AlreadyExists, InvalidArgument, NotFound, ObjectNotFound, Unavailable
from lakehouse.sdk import Client as Lake
from lakehouse.sdk import Retry
from lakehouse.sdk.cache import (
    CacheStatus,
    Canceled,
    Client,
    Context,
    Key,
    Pointer,
    ReservationCache,
    ReservationStatus,
)

_names = itertools.count(1)
WRITES = "ctx: Context | None, key: Key, reader: Readable | bytes | Pointer | Any, metadata: Mapping[str, str] | None"
SIGNATURES = {
    "Get": ("get", "(self, ctx: Context | None, key: Key) -> Entry"),
    "Put": ("put", f"(self, {WRITES}) -> Status"),
    "Update": ("update", f"(self, {WRITES}) -> Status"),
    "GetOrExtendReservation": (
        "get_or_extend_reservation",
        "(self, ctx: Context | None, key: Key, owner_id: str, heartbeat_interval: timedelta) -> Reservation",
    ),
    "ReleaseReservation": (
        "release_reservation",
        "(self, ctx: Context | None, key: Key, owner_id: str) -> None",
    ),
    "GetReservationCache": ("get_reservation_cache", "(self, owner_id: str) -> ReservationCache"),
    "UpdateReservationCache": (
        "update_reservation_cache",
        "(self, owner_id: str, entry: ReservationCache) -> None",
    ),
}
"""The documented interface, name by name."""


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name):
    own, signature = SIGNATURES[name]
    method = getattr(Client, own)
    assert str(inspect.signature(method)).replace("'", "") == signature
    assert getattr(Client, name) is method, "the original name is an alias"
    assert method.__doc__


def test_nothing_else_is_public():
    public = {name for name in vars(Client) if not name.startswith("_")}
    assert public == set(SIGNATURES) | {own for own, _ in SIGNATURES.values()}


@pytest.fixture
def cache(lake) -> Client:
    return Client(lake)


def fresh_key(**more) -> Key:
    """A key that no test has used."""
    name = f"task-{next(_names)}"
    identifier = {"resourceType": "TASK", "project": "p", "domain": "d", "name": name, "version": "v", **more}
    return Key(identifier=identifier, cache_version="1")


def test_from_a_miss_to_an_update(cache):
    key = fresh_key()
    with pytest.raises(NotFound) as missed:
        cache.Get(None, key)
    assert missed.value.status.cache_status is CacheStatus.MISS
    put = cache.Put(None, key, io.BytesIO(b"literals"), {"execution-name": "e"})
    assert put.cache_status is CacheStatus.POPULATED
    found = cache.Get(None, key)
    assert found.status.cache_status is CacheStatus.HIT
    assert found.outputs.read() == b"literals"
    assert found.status.metadata.key_map == {"execution-name": "e"}
    assert found.status.metadata.source_identifier["name"] == key.part("name")
    assert abs(found.status.metadata.created_at - datetime.now(UTC)) < timedelta(minutes=5)
    with pytest.raises(AlreadyExists) as refused:
        cache.Put(None, key, b"other", None)
    assert refused.value.status.cache_status is CacheStatus.PUT_FAILURE
    assert cache.get(None, key).outputs.read() == b"literals", "the stored value stays"
    assert cache.Update(None, key, b"other", None).cache_status is CacheStatus.POPULATED
    assert cache.get(None, key).outputs.read() == b"other"


def test_an_update_stores_what_is_missing(cache):
    key = fresh_key()
    assert cache.update(None, key, b"1", None).cache_status is CacheStatus.POPULATED
    assert cache.get(None, key).outputs.read() == b"1"


def test_messages_are_stored_as_their_bytes(cache):
    key, outputs = fresh_key(), literals_pb2.LiteralMap()
    outputs.literals["o0"].scalar.primitive.integer = 42
    cache.put(None, key, outputs, None)
    assert literals_pb2.LiteralMap.FromString(cache.get(None, key).outputs.read()) == outputs


def test_pointers_lead_into_the_lake(cache, lake):
    for name, metadata, uri in (
        ("with-branches", {}, "s3://with-branches/main/out%20put.pb"),
        ("without", {"lakehouse.plain": "true"}, "s3://without/out%20put.pb"),
    ):
        lake.repositories.create_repository(name)
        lake.repositories.set_repository_metadata(name, metadata)
        lake.objects.upload_object(name, "main", "out put.pb", b"here")
        key = fresh_key()
        cache.put(None, key, Pointer(uri), None)
        found = cache.get(None, key)
        assert (found.outputs.uri, found.outputs.read()) == (uri, b"here")
        lake.objects.delete_object(name, "main", "out put.pb")
        with pytest.raises(ObjectNotFound):
            found.outputs.read()
        with pytest.raises(NotFound):
            cache.get(None, key)
    key = fresh_key()
    cache.put(None, key, Pointer("gs://elsewhere/o.pb"), None)
    with pytest.raises(InvalidArgument, match="not in this lake"):
        cache.get(None, key).outputs.read()


def test_old_entries_are_misses(lake, served):
    cache, key = Client(lake, max_cache_age=timedelta(hours=1)), fresh_key()
    cache.put(None, key, b"1", None)
    served.offset[0] += 3000
    assert cache.get(None, key).outputs.read() == b"1"
    with pytest.raises(AlreadyExists):
        cache.put(None, key, b"2", None)
    served.offset[0] += 700
    with pytest.raises(NotFound):
        cache.get(None, key)
    assert Client(lake).get(None, key).outputs.read() == b"1"
    cache.put(None, key, b"2", None)
    assert cache.get(None, key).outputs.read() == b"2"


def test_organisations_do_not_mix(cache):
    key = fresh_key(org="one")
    cache.put(None, key, b"1", None)
    with pytest.raises(NotFound):
        cache.get(None, Key(identifier={**key.identifier, "org": "two"}, cache_version="1"))


@pytest.mark.parametrize("outputs", ["text", None, 5])
def test_outputs_that_are_none(cache, outputs):
    with pytest.raises(InvalidArgument, match="outputs"):
        cache.put(None, fresh_key(), outputs, None)


def test_a_server_that_is_not_there_is_a_failure_and_no_miss():
    with Lake("http://127.0.0.1:9", retry=Retry(attempts=1)) as nowhere, pytest.raises(Unavailable) as failed:
        Client(nowhere).get(None, fresh_key())
    assert failed.value.status.cache_status is CacheStatus.LOOKUP_FAILURE


def test_reservations(cache, served):
    key, beat = fresh_key(), timedelta(seconds=2)
    first = cache.GetOrExtendReservation(None, key, "a", beat)
    assert (first.owner, first.heartbeat) == ("a", beat)
    assert timedelta(seconds=5) < first.expires_at - datetime.now(UTC) <= timedelta(seconds=6)
    assert cache.get_or_extend_reservation(None, key, "b", beat) == first
    cache.ReleaseReservation(None, key, "b")
    cache.release_reservation(None, fresh_key(), "b")
    served.offset[0] += 3
    assert cache.get_or_extend_reservation(None, key, "a", beat).expires_at > first.expires_at
    served.offset[0] += 7
    assert cache.get_or_extend_reservation(None, key, "b", beat).owner == "b"
    cache.release_reservation(None, key, "b")
    assert cache.get_or_extend_reservation(None, key, "a", timedelta(0)).heartbeat == timedelta(seconds=10)


def test_what_owners_noted_is_kept_in_the_process(lake):
    cache = Client(lake, most_owners=2)
    assert cache.GetReservationCache("a") == ReservationCache(datetime.min.replace(tzinfo=UTC), ReservationStatus(0))
    noted = ReservationCache(datetime.now(UTC), ReservationStatus.ACQUIRED)
    cache.UpdateReservationCache("a", noted)
    cache.update_reservation_cache("b", noted)
    assert cache.get_reservation_cache("a") == noted
    cache.update_reservation_cache("c", noted)
    assert cache.get_reservation_cache("b") == ReservationCache(), "used longest ago"
    assert cache.get_reservation_cache("a") == noted
    assert Client(lake).get_reservation_cache("a") == ReservationCache()


def test_contexts(cache):
    stopped = threading.Event()
    stopped.set()
    for ctx, error in (
        (Context(cancel=stopped), Canceled),
        (Context(deadline=time.monotonic() - 1), TimeoutError),
    ):
        for call in (
            lambda ctx=ctx: cache.get(ctx, fresh_key()),
            lambda ctx=ctx: cache.put(ctx, fresh_key(), b"", None),
            lambda ctx=ctx: cache.update(ctx, fresh_key(), b"", None),
            lambda ctx=ctx: cache.get_or_extend_reservation(ctx, fresh_key(), "a", timedelta(0)),
            lambda ctx=ctx: cache.release_reservation(ctx, fresh_key(), "a"),
        ):
            with pytest.raises(error):
                call()
    live = Context(deadline=time.monotonic() + 60, cancel=threading.Event())
    assert cache.put(live, fresh_key(), b"", None).cache_status is CacheStatus.POPULATED
