# SPDX-License-Identifier: Apache-2.0
"""Flyte 1's catalog and the cache service of flyteidl by gRPC, asked with Flyte's own stubs."""

from __future__ import annotations

import itertools
import socket
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx2
import pytest
from flyteidl.cacheservice import cacheservice_pb2 as cache_pb
from flyteidl.cacheservice.cacheservice_pb2_grpc import CacheServiceStub
from flyteidl.core.literals_pb2 import Literal
from flyteidl.datacatalog import datacatalog_pb2 as pb
from flyteidl.datacatalog.datacatalog_pb2_grpc import DataCatalogStub
from flyteidl2.cacheservice import cacheservice_pb2 as base_pb
from flyteidl2.cacheservice.v2 import cacheservice_pb2 as v2
from flyteidl2.cacheservice.v2.cacheservice_pb2_grpc import CacheServiceStub as CacheService2Stub
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from lakehouse.config.model import Audit, Flyte
from lakehouse.core.errors import KINDS
from lakehouse.facades.cache.grpc_side.answering import peer_of, status_of
from tests.running import start_server
from tests.s3.lake import KEY, SECRET, served_lake

Code = grpc.StatusCode
_numbers = itertools.count(1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    port = free_port()
    flyte = Flyte(grpc_port=port, anonymous=("127.0.0.0/8",))
    with served_lake(tmp_path_factory.mktemp("lake"), flyte=flyte, audit=Audit(level="all")) as found:
        found.grpc = f"127.0.0.1:{port}"
        yield found


@pytest.fixture(scope="module")
def channel(served):
    with grpc.insecure_channel(served.grpc, options=[("grpc.enable_http_proxy", 0)]) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _clock_is_right(served):
    yield
    served.offset[0] = 0.0


@pytest.fixture
def catalog(channel):
    return DataCatalogStub(channel)


@pytest.fixture
def cache(channel):
    return CacheServiceStub(channel)


@pytest.fixture
def dataset(catalog):
    """A new dataset's id."""
    found = identifier()
    catalog.CreateDataset(pb.CreateDatasetRequest(dataset=pb.Dataset(id=found)))
    return found


def identifier(**more) -> pb.DatasetID:
    names = {"project": "p", "domain": "d", "name": f"flyte_task-t{next(_numbers)}", "version": "1-a-b"}
    return pb.DatasetID(**{**names, **more})


def refused(call, *args, **kwargs) -> Code:
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, **kwargs)
    return caught.value.code()


def number(value: int) -> Literal:
    literal = Literal()
    literal.scalar.primitive.integer = value
    return literal


def data(*values: int) -> list[pb.ArtifactData]:
    return [pb.ArtifactData(name=f"o{index}", value=number(value)) for index, value in enumerate(values)]


def add(catalog, dataset, name: str, *values: int, tag: str = "", partitions=()) -> None:
    artifact = pb.Artifact(id=name, dataset=dataset, data=data(*values), partitions=partitions)
    artifact.metadata.key_map["execution"] = "e"
    catalog.CreateArtifact(pb.CreateArtifactRequest(artifact=artifact))
    if tag:
        catalog.AddTag(pb.AddTagRequest(tag=pb.Tag(name=tag, artifact_id=name, dataset=dataset)))


def get(catalog, dataset, **handle) -> pb.Artifact:
    return catalog.GetArtifact(pb.GetArtifactRequest(dataset=dataset, **handle)).artifact


# -- datacatalog -------------------------------------------------------------------------------------------------------


def test_datasets(catalog):
    asked = identifier()
    assert refused(catalog.GetDataset, pb.GetDatasetRequest(dataset=asked)) is Code.NOT_FOUND
    request = pb.CreateDatasetRequest(dataset=pb.Dataset(id=asked, partitionKeys=["a", "b"]))
    request.dataset.metadata.key_map["k"] = "v"
    catalog.CreateDataset(request)
    found = catalog.GetDataset(pb.GetDatasetRequest(dataset=asked)).dataset
    assert found.id.UUID
    assert (found.id.name, list(found.partitionKeys), dict(found.metadata.key_map)) == (
        asked.name,
        ["a", "b"],
        {"k": "v"},
    )
    assert refused(catalog.CreateDataset, request) is Code.ALREADY_EXISTS
    twice = pb.CreateDatasetRequest(dataset=pb.Dataset(id=identifier(), partitionKeys=["a", "a"]))
    assert refused(catalog.CreateDataset, twice) is Code.INVALID_ARGUMENT


def test_what_a_dataset_lacks_is_named(catalog):
    with pytest.raises(grpc.RpcError) as caught:
        catalog.GetDataset(pb.GetDatasetRequest(dataset=pb.DatasetID(project="p", version=" ")))
    assert caught.value.code() is Code.INVALID_ARGUMENT
    assert "missing domain, missing name, missing version" in caught.value.details()
    assert refused(catalog.CreateDataset, pb.CreateDatasetRequest()) is Code.INVALID_ARGUMENT


def test_artifacts_by_id_and_by_tag(catalog, dataset, served):
    add(catalog, dataset, "one", 1, 2, tag="t")
    for found in (
        get(catalog, dataset, artifact_id="one"),
        get(catalog, dataset, tag_name="t"),
        catalog.GetArtifact(pb.GetArtifactRequest(artifact_id="one")).artifact,
    ):
        assert [(one.name, one.value.scalar.primitive.integer) for one in found.data] == [("o0", 1), ("o1", 2)]
        assert dict(found.metadata.key_map) == {"execution": "e"}
        assert [tag.name for tag in found.tags] == ["t"]
        assert found.dataset.name == dataset.name
        assert abs(found.created_at.seconds - served.application._clock()) < 300
    assert refused(get, catalog, dataset, artifact_id="two") is Code.NOT_FOUND
    assert refused(get, catalog, dataset, tag_name="u") is Code.NOT_FOUND
    assert refused(get, catalog, dataset) is Code.INVALID_ARGUMENT
    assert refused(get, catalog, None, tag_name="t") is Code.INVALID_ARGUMENT
    assert refused(get, catalog, identifier(), tag_name="t") is Code.NOT_FOUND


def test_artifacts_that_are_refused(catalog, dataset):
    add(catalog, dataset, "one", 1)
    assert refused(add, catalog, dataset, "one", 2) is Code.ALREADY_EXISTS
    assert refused(add, catalog, dataset, "two") is Code.INVALID_ARGUMENT, "no data"
    assert refused(add, catalog, dataset, "", 1) is Code.INVALID_ARGUMENT
    assert refused(add, catalog, identifier(), "one", 1) is Code.NOT_FOUND
    assert refused(add, catalog, dataset, "two", 1, partitions=[pb.Partition(key="a")]) is Code.INVALID_ARGUMENT
    assert get(catalog, dataset, artifact_id="one").data[0].value == number(1)


def test_the_first_artifact_with_a_tag_keeps_it(catalog, dataset):
    add(catalog, dataset, "one", 1, tag="t")
    assert refused(add, catalog, dataset, "two", 2, tag="t") is Code.ALREADY_EXISTS
    assert get(catalog, dataset, tag_name="t").id == "one"
    stray = pb.AddTagRequest(tag=pb.Tag(name="u", artifact_id="three", dataset=dataset))
    assert refused(catalog.AddTag, stray) is Code.NOT_FOUND
    assert refused(catalog.AddTag, pb.AddTagRequest(tag=pb.Tag(dataset=dataset))) is Code.INVALID_ARGUMENT


def test_an_update_replaces_everything_but_id_tags_and_time(catalog, dataset, served):
    add(catalog, dataset, "one", 1, 2, tag="t")
    before = get(catalog, dataset, tag_name="t")
    served.offset[0] += 100
    request = pb.UpdateArtifactRequest(dataset=dataset, tag_name="t", data=data(3))
    request.metadata.key_map["new"] = "n"
    assert catalog.UpdateArtifact(request).artifact_id == "one"
    after = get(catalog, dataset, artifact_id="one")
    assert ([one.value for one in after.data], dict(after.metadata.key_map)) == ([number(3)], {"new": "n"})
    assert (after.tags, after.created_at) == (before.tags, before.created_at)
    missing = pb.UpdateArtifactRequest(dataset=dataset, tag_name="u", data=data(3))
    assert refused(catalog.UpdateArtifact, missing) is Code.NOT_FOUND
    empty = pb.UpdateArtifactRequest(dataset=dataset, tag_name="t")
    assert refused(catalog.UpdateArtifact, empty) is Code.INVALID_ARGUMENT


def test_an_artifact_whose_data_is_gone_is_a_miss_and_makes_room(catalog, dataset, served):
    add(catalog, dataset, "one", 1, tag="t")
    listed = served.rest.get("/repositories/flyte-cache/refs/main/objects/ls", params={"prefix": "artifacts/p/d/"})
    paths = [one["path"] for one in listed.json()["results"]]
    for path in paths:
        served.rest.delete("/repositories/flyte-cache/branches/main/objects", params={"path": path})
    assert refused(get, catalog, dataset, tag_name="t") is Code.NOT_FOUND
    add(catalog, dataset, "two", 2, tag="t")
    assert get(catalog, dataset, tag_name="t").id == "two"


def test_partitions_are_those_of_the_dataset(catalog):
    one, two = identifier(), identifier()
    for each in (one, two):
        catalog.CreateDataset(pb.CreateDatasetRequest(dataset=pb.Dataset(id=each, partitionKeys=["day", "hour"])))
    day = pb.Partition(key="day", value="1")
    assert refused(add, catalog, one, "a", 1, partitions=[day]) is Code.INVALID_ARGUMENT
    assert refused(add, catalog, one, "a", 1, partitions=[day, day]) is Code.INVALID_ARGUMENT
    add(catalog, one, "a", 1, partitions=[day, pb.Partition(key="hour", value="2")])
    add(catalog, two, "a", 1, partitions=[pb.Partition(key="day", value="9"), pb.Partition(key="hour", value="9")])
    found = get(catalog, one, artifact_id="a").partitions
    assert [(each.key, each.value) for each in found] == [("day", "1"), ("hour", "2")]
    matching = pb.ListArtifactsRequest(dataset=one)
    wanted = matching.filter.filters.add().partition_filter.key_val
    wanted.key, wanted.value = "day", "1"
    assert [each.id for each in catalog.ListArtifacts(matching).artifacts] == ["a"]
    wanted.value = "9"
    assert not catalog.ListArtifacts(matching).artifacts


def test_lists_of_artifacts(catalog, dataset):
    for value in range(5):
        add(catalog, dataset, f"a{value}", value, tag=f"t{value}")
    everything = catalog.ListArtifacts(pb.ListArtifactsRequest(dataset=dataset))
    assert [one.id for one in everything.artifacts] == ["a4", "a3", "a2", "a1", "a0"]
    assert everything.next_token == "5"

    def page(**options):
        answer = catalog.ListArtifacts(
            pb.ListArtifactsRequest(dataset=dataset, pagination=pb.PaginationOptions(**options))
        )
        return [one.id for one in answer.artifacts], answer.next_token

    assert page(limit=2) == (["a4", "a3"], "2")
    assert page(limit=2, token="4") == (["a0"], "5")
    assert page(limit=2, token="5") == ([], "5")
    assert page(limit=0) == ([], "0")
    assert page(limit=2, sortOrder=1) == (["a0", "a1"], "2")
    for token in ("x", "-1", "1.5", "²"):
        assert refused(page, limit=1, token=token) is Code.INVALID_ARGUMENT
    tagged = pb.ListArtifactsRequest(dataset=dataset)
    tagged.filter.filters.add().tag_filter.tag_name = "t2"
    assert [one.id for one in catalog.ListArtifacts(tagged).artifacts] == ["a2"]
    tagged.filter.filters.add().artifact_filter.artifact_id = "a3"
    assert not catalog.ListArtifacts(tagged).artifacts
    tagged.filter.filters.add().dataset_filter.name = "x"
    assert refused(catalog.ListArtifacts, tagged) is Code.INVALID_ARGUMENT
    assert refused(catalog.ListArtifacts, pb.ListArtifactsRequest(dataset=identifier())) is Code.NOT_FOUND


def test_lists_of_datasets(catalog):
    names = [identifier(project="listed") for _ in range(3)]
    for one in names:
        catalog.CreateDataset(pb.CreateDatasetRequest(dataset=pb.Dataset(id=one)))
    request = pb.ListDatasetsRequest(pagination=pb.PaginationOptions(limit=2))
    request.filter.filters.add().dataset_filter.project = "listed"
    first = catalog.ListDatasets(request)
    assert [one.id.name for one in first.datasets] == [names[2].name, names[1].name]
    request.pagination.token = first.next_token
    assert [one.id.name for one in catalog.ListDatasets(request).datasets] == [names[0].name]
    request.filter.filters.add().tag_filter.tag_name = "t"
    assert refused(catalog.ListDatasets, request) is Code.INVALID_ARGUMENT
    assert len(catalog.ListDatasets(pb.ListDatasetsRequest()).datasets) >= 3


def test_reservations_of_the_catalog(catalog, served):
    where = pb.ReservationID(dataset_id=identifier(), tag_name="t")

    def claim(owner: str, heartbeat: float | None = None, where=where):
        request = pb.GetOrExtendReservationRequest(reservation_id=where, owner_id=owner)
        if heartbeat is not None:
            request.heartbeat_interval.FromMilliseconds(round(heartbeat * 1000))
        return catalog.GetOrExtendReservation(request).reservation

    first = claim("a", 2)
    assert (first.owner_id, first.heartbeat_interval.seconds) == ("a", 2)
    held = claim("b", 1)
    assert (held.owner_id, held.heartbeat_interval, held.expires_at) == (
        "a",
        first.heartbeat_interval,
        first.expires_at,
    )
    other = pb.ReservationID(dataset_id=where.dataset_id, tag_name="u")
    assert claim("b", where=other).owner_id == "b"
    assert claim("b", 0, where=other).heartbeat_interval.seconds == 10
    catalog.ReleaseReservation(pb.ReleaseReservationRequest(reservation_id=where, owner_id="b"))
    assert claim("b").owner_id == "a"
    served.offset[0] += 7
    assert claim("b").owner_id == "b"
    for bad in (
        pb.GetOrExtendReservationRequest(owner_id="a"),
        pb.GetOrExtendReservationRequest(reservation_id=where),
        pb.GetOrExtendReservationRequest(reservation_id=pb.ReservationID(dataset_id=identifier()), owner_id="a"),
    ):
        assert refused(catalog.GetOrExtendReservation, bad) is Code.INVALID_ARGUMENT


def test_of_many_claims_one_holds(catalog):
    where = pb.ReservationID(dataset_id=identifier(), tag_name="t")

    def claim(owner: int) -> str:
        request = pb.GetOrExtendReservationRequest(reservation_id=where, owner_id=f"owner {owner}")
        return catalog.GetOrExtendReservation(request).reservation.owner_id

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(claim, range(64)))) == 1


# -- flyteidl.cacheservice ---------------------------------------------------------------------------------------------


def test_the_cache_service(cache, served):
    key = f"k/+={next(_numbers)}"
    assert refused(cache.Get, cache_pb.GetCacheRequest(key=key)) is Code.NOT_FOUND
    output = cache_pb.CachedOutput()
    output.output_literals.literals["o0"].CopyFrom(number(1))
    output.metadata.source_identifier.name = "t"
    output.metadata.key_map.values["a"] = "b"
    cache.Put(cache_pb.PutCacheRequest(key=key, output=output))
    found = cache.Get(cache_pb.GetCacheRequest(key=key)).output
    assert found.output_literals == output.output_literals
    assert found.metadata.source_identifier == output.metadata.source_identifier
    assert found.metadata.key_map == output.metadata.key_map
    uri = cache_pb.CachedOutput(output_uri="s3://elsewhere/o.pb")
    assert refused(cache.Put, cache_pb.PutCacheRequest(key=key, output=uri)) is Code.ALREADY_EXISTS
    cache.Put(cache_pb.PutCacheRequest(key=key, output=uri, overwrite=True))
    assert cache.Get(cache_pb.GetCacheRequest(key=key)).output.output_uri == "s3://elsewhere/o.pb"
    cache.Delete(cache_pb.DeleteCacheRequest(key=key))
    assert refused(cache.Delete, cache_pb.DeleteCacheRequest(key=key)) is Code.NOT_FOUND
    for bad in (cache_pb.PutCacheRequest(key=key), cache_pb.PutCacheRequest(output=uri)):
        assert refused(cache.Put, bad) is Code.INVALID_ARGUMENT


def test_empty_literals_are_outputs_too(cache):
    key, output = f"k{next(_numbers)}", cache_pb.CachedOutput()
    output.output_literals.SetInParent()
    cache.Put(cache_pb.PutCacheRequest(key=key, output=output))
    assert cache.Get(cache_pb.GetCacheRequest(key=key)).output.HasField("output_literals")


def test_reservations_of_the_cache_service(cache):
    key = f"k{next(_numbers)}"

    def claim(owner: str):
        return cache.GetOrExtendReservation(cache_pb.GetOrExtendReservationRequest(key=key, owner_id=owner)).reservation

    assert (claim("a").owner_id, claim("b").owner_id, claim("a").key) == ("a", "a", key)
    cache.ReleaseReservation(cache_pb.ReleaseReservationRequest(key=key, owner_id="a"))
    assert claim("b").owner_id == "b"


def test_the_cache_service_of_flyte_2(channel):
    stub, where = CacheService2Stub(channel), v2.Identifier(org="o", project="p", domain="d")
    key = f"k/+={next(_numbers)}"

    def put(uri: str) -> v2.PutCacheRequest:
        output = base_pb.CachedOutput(output_uri=uri)
        return v2.PutCacheRequest(identifier=where, base_request=base_pb.PutCacheRequest(key=key, output=output))

    asked = v2.GetCacheRequest(identifier=where, base_request=base_pb.GetCacheRequest(key=key))
    assert refused(stub.Get, asked) is Code.NOT_FOUND
    assert stub.Put(put("s3://elsewhere/o.pb")) == base_pb.PutCacheResponse()
    assert refused(stub.Put, put("s3://elsewhere/2")) is Code.ALREADY_EXISTS
    assert stub.Get(asked).output.output_uri == "s3://elsewhere/o.pb"
    claim = base_pb.GetOrExtendReservationRequest(key=key, owner_id="a")
    claim.heartbeat_interval.FromMilliseconds(500)
    held = stub.GetOrExtendReservation(v2.GetOrExtendReservationRequest(identifier=where, base_request=claim))
    assert (held.reservation.owner_id, held.reservation.heartbeat_interval.ToMilliseconds()) == ("a", 500)
    released = base_pb.ReleaseReservationRequest(key=key, owner_id="a")
    stub.ReleaseReservation(v2.ReleaseReservationRequest(identifier=where, base_request=released))
    stub.Delete(v2.DeleteCacheRequest(identifier=where, base_request=base_pb.DeleteCacheRequest(key=key)))
    assert refused(stub.Get, asked) is Code.NOT_FOUND
    assert refused(stub.Get, v2.GetCacheRequest()) is Code.INVALID_ARGUMENT


def test_what_is_too_large_is_refused(cache):
    output = cache_pb.CachedOutput()
    output.output_literals.literals["o0"].scalar.primitive.string_value = "x" * (7 * 1024 * 1024)
    request = cache_pb.PutCacheRequest(key="large", output=output)
    assert refused(cache.Put, request) is Code.RESOURCE_EXHAUSTED


# -- who asks, and the rest --------------------------------------------------------------------------------------------


def test_who_asks(served, channel, cache, tmp_path):
    import base64

    pair = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
    missing = cache_pb.GetCacheRequest(key="nothing")
    assert refused(cache.Get, missing, metadata=(("authorization", f"Basic {pair}"),)) is Code.NOT_FOUND
    assert refused(cache.Get, missing, metadata=(("authorization", "Bearer no"),)) is Code.UNAUTHENTICATED
    assert refused(cache.Get, missing, metadata=(("x-forwarded-for", "10.0.0.1"),)) is Code.UNAUTHENTICATED
    served.run(served.application._audit.flush())
    events = served.rest.get("/auth/audit", params={"amount": 100}).json()["results"]
    mine = [one for one in events if one["resources"].get("key") == "nothing"]
    assert {(one["operation"], one["actor"], one["peer"]) for one in mine} >= {
        ("get_cache_entry", "admin", "127.0.0.1")
    }


def test_strangers_are_refused(tmp_path):
    port = free_port()
    with (
        served_lake(tmp_path / "lake", flyte=Flyte(grpc_port=port)),
        grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as opened,
    ):
        asked = pb.GetDatasetRequest(dataset=identifier())
        assert refused(DataCatalogStub(opened).GetDataset, asked) is Code.UNAUTHENTICATED
        late = pb.ListDatasetsRequest()
        assert refused(DataCatalogStub(opened).ListDatasets, late) is Code.UNAUTHENTICATED


@pytest.mark.parametrize("service", ["", "datacatalog.DataCatalog", "flyteidl.cacheservice.CacheService"])
def test_health(channel, service):
    answer = HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_error_has_a_status(kind):
    assert status_of(kind()) not in (Code.INTERNAL, Code.UNKNOWN, Code.OK)


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.1.2.3:5", "10.1.2.3"),
        ("ipv6:[::1]:5", "::1"),
        ("ipv6:%5B::1%5D:5", "::1"),
        ("unix:/tmp/x", ""),
        ("", ""),
    ],
)
def test_peers(peer, address):
    assert peer_of(peer) == address


def test_a_real_server_with_several_workers(tmp_path):
    port = free_port()
    environment = {"LAKEHOUSE_FLYTE__GRPC_PORT": str(port), "LAKEHOUSE_FLYTE__ANONYMOUS": "127.0.0.0/8"}
    server = start_server(tmp_path / "lake", "--workers", "2", environment=environment)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as opened:
            stub, found = DataCatalogStub(opened), identifier()
            stub.CreateDataset(pb.CreateDatasetRequest(dataset=pb.Dataset(id=found)), wait_for_ready=True, timeout=30)
            assert stub.GetDataset(pb.GetDatasetRequest(dataset=found)).dataset.id.UUID
        figures = httpx2.get(f"{server.url}/metrics", trust_env=False).text
        assert 'lakehouse_rest_requests_total{operation="put_cache_entry",status="2xx"} 1' in figures
    finally:
        assert server.stop() in (0, -15), server.output


def test_a_port_that_is_taken_is_said_at_the_start(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(RuntimeError, match=r"flyte\.grpc_port"):
            start_server(tmp_path / "lake", environment={"LAKEHOUSE_FLYTE__GRPC_PORT": str(port)})
