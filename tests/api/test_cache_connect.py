# SPDX-License-Identifier: Apache-2.0
"""Flyte 2's cache service by Connect, asked with Flyte's own messages."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib

import httpx2
import pytest
from flyteidl2.cacheservice import cacheservice_pb2 as base
from flyteidl2.cacheservice.v2 import cacheservice_pb2 as v2
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration

from lakehouse.config.model import Audit, Config, Facades, Flyte
from lakehouse.core.errors import KINDS, BadConfiguration
from lakehouse.facades.cache.connect import LIMIT, code_of
from lakehouse.server.app import Application

from .conftest import KEY, SECRET, Hands, started

pytestmark = pytest.mark.anyio
SERVICE = "/flyteidl2.cacheservice.v2.CacheService"
PROTO, JSON = "application/proto", "application/json"
_numbers = itertools.count(1)
ANSWERS = {
    "Get": base.GetCacheResponse,
    "Put": base.PutCacheResponse,
    "Delete": base.DeleteCacheResponse,
    "GetOrExtendReservation": base.GetOrExtendReservationResponse,
    "ReleaseReservation": base.ReleaseReservationResponse,
}
HERE = v2.Identifier(project="p", domain="d")


@pytest.fixture(scope="module")
async def server(tmp_path_factory):
    flyte = Flyte(anonymous=("10.0.0.0/8", "fd00::/8"))
    folder = tmp_path_factory.mktemp("data")
    made = await started(folder, Hands(), flyte=flyte, audit=Audit(level="all"), trusted_proxies=("192.0.2.1/32",))
    yield made
    await made.application.stop()


class Flytes:
    """A client that speaks one form, with or without credentials."""

    def __init__(self, server, form: str = PROTO, *, peer: str = "203.0.113.9", auth=None) -> None:
        self.form = form
        transport = httpx2.ASGITransport(app=server.application, client=(peer, 1))
        self.http = httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000", auth=auth)

    async def send(self, method: str, content: bytes, **headers: str) -> httpx2.Response:
        names = {"content-type": self.form, "connect-protocol-version": "1"}
        sent = names | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(
            f"{SERVICE}/{method}", content=content, headers={k: v for k, v in sent.items() if v}
        )

    async def ask(self, method: str, request, **headers: str):
        """The answer as a message, or the code of the error."""
        proto = self.form == PROTO
        content = request.SerializeToString() if proto else json_format.MessageToJson(request).encode()
        answer = await self.send(method, content, **headers)
        if answer.status_code != 200:
            assert answer.headers["content-type"] == JSON
            assert set(answer.json()) == {"code", "message"}
            return answer.json()["code"]
        assert answer.headers["content-type"] == self.form
        kind = ANSWERS[method]
        return kind.FromString(answer.content) if proto else json_format.Parse(answer.content, kind())


@pytest.fixture(params=[PROTO, JSON])
async def flyte(server, request):
    client = Flytes(server, request.param, auth=(KEY, SECRET))
    yield client
    await client.http.aclose()


@pytest.fixture
def key() -> str:
    return f"o/+={next(_numbers)}"


def get(key, where=HERE):
    return v2.GetCacheRequest(base_request=base.GetCacheRequest(key=key), identifier=where)


def put(key, uri="s3://elsewhere/o.pb", where=HERE, **more):
    output = base.CachedOutput(output_uri=uri)
    output.metadata.source_identifier.resource_type = 1
    output.metadata.source_identifier.name = "t"
    output.metadata.key_map.values["execution-name"] = "e"
    return v2.PutCacheRequest(base_request=base.PutCacheRequest(key=key, output=output, **more), identifier=where)


def delete(key):
    return v2.DeleteCacheRequest(base_request=base.DeleteCacheRequest(key=key), identifier=HERE)


def claim(key, owner, heartbeat=None):
    asked = base.GetOrExtendReservationRequest(key=key, owner_id=owner)
    if heartbeat is not None:
        asked.heartbeat_interval.FromMilliseconds(heartbeat)
    return v2.GetOrExtendReservationRequest(base_request=asked, identifier=HERE)


def release(key, owner):
    return v2.ReleaseReservationRequest(
        base_request=base.ReleaseReservationRequest(key=key, owner_id=owner), identifier=HERE
    )


async def test_an_entry_from_put_to_delete(flyte, server, key):
    assert await flyte.ask("Get", get(key)) == "not_found"
    assert await flyte.ask("Put", put(key)) == base.PutCacheResponse()
    output = (await flyte.ask("Get", get(key))).output
    assert output.output_uri == "s3://elsewhere/o.pb"
    assert output.metadata.source_identifier.name == "t"
    assert dict(output.metadata.key_map.values) == {"execution-name": "e"}
    assert output.metadata.created_at.ToMicroseconds() == round(server.clock.now * 1e6)
    assert output.metadata.last_updated_at == output.metadata.created_at
    assert await flyte.ask("Put", put(key, "s3://elsewhere/2")) == "already_exists"
    server.clock.now += 1
    again = put(key, "s3://elsewhere/2", overwrite=base.OverwriteOutput(overwrite=True, delete_blob=True))
    assert await flyte.ask("Put", again) == base.PutCacheResponse()
    found = (await flyte.ask("Get", get(key))).output
    assert found.output_uri == "s3://elsewhere/2"
    assert found.metadata.created_at == output.metadata.created_at
    assert found.metadata.last_updated_at.seconds == output.metadata.created_at.seconds + 1
    assert await flyte.ask("Delete", delete(key)) == base.DeleteCacheResponse()
    assert await flyte.ask("Delete", delete(key)) == "not_found"


async def test_the_time_of_creation_can_be_sent(flyte, key):
    request = put(key)
    request.base_request.output.metadata.created_at.FromJsonString("2020-01-01T00:00:00.000001Z")
    await flyte.ask("Put", request)
    found = (await flyte.ask("Get", get(key))).output.metadata.created_at
    assert found == request.base_request.output.metadata.created_at


async def test_ages(flyte, server, key):
    await flyte.ask("Put", put(key))
    server.clock.now += 60
    for allowed, answer in ((60, "already_exists"), (0, "already_exists"), (-1, "invalid_argument")):
        aged = base.OverwriteOutput(max_age=Duration(seconds=allowed))
        assert await flyte.ask("Put", put(key, overwrite=aged)) == answer
    aged = base.OverwriteOutput(max_age=Duration(seconds=59, nanos=500_000_000))
    assert await flyte.ask("Put", put(key, overwrite=aged)) == base.PutCacheResponse()


async def test_scopes_do_not_mix(flyte, key):
    await flyte.ask("Put", put(key, where=v2.Identifier(org="o", project="a", domain="b-c")))
    for other in (
        v2.Identifier(project="a", domain="b-c"),
        v2.Identifier(org="o2", project="a", domain="b-c"),
        v2.Identifier(org="o", project="a-b", domain="c"),
    ):
        assert await flyte.ask("Get", get(key, where=other)) == "not_found"


async def test_an_identifier_is_not_demanded(flyte, key):
    request = put(key)
    request.ClearField("identifier")
    assert await flyte.ask("Put", request) == base.PutCacheResponse()
    asked = get(key)
    asked.ClearField("identifier")
    assert (await flyte.ask("Get", asked)).output.output_uri


async def test_reservations(flyte, server, key):
    first = (await flyte.ask("GetOrExtendReservation", claim(key, "a", 500))).reservation
    assert (first.key, first.owner_id) == (key, "a")
    assert first.heartbeat_interval.ToMilliseconds() == 500
    assert first.expires_at.ToMicroseconds() == round((server.clock.now + 1.5) * 1e6)
    assert (await flyte.ask("GetOrExtendReservation", claim(key, "b"))).reservation == first
    assert await flyte.ask("ReleaseReservation", release(key, "b")) == base.ReleaseReservationResponse()
    server.clock.now += 1.5
    taken = (await flyte.ask("GetOrExtendReservation", claim(key, "b", 60_000))).reservation
    assert (taken.owner_id, taken.heartbeat_interval.seconds) == ("b", 10)
    assert await flyte.ask("ReleaseReservation", release(key, "b")) == base.ReleaseReservationResponse()
    assert (await flyte.ask("GetOrExtendReservation", claim(key, "c"))).reservation.owner_id == "c"


async def test_what_is_missing_is_said(flyte, key):
    literals = put(key)
    literals.base_request.output.output_literals.literals["a"].scalar.primitive.integer = 1
    nothing = put(key)
    nothing.base_request.ClearField("output")
    late = put(key)
    late.base_request.output.metadata.created_at.seconds = -1
    for method, request in (
        ("Get", v2.GetCacheRequest()),
        ("Get", v2.GetCacheRequest(identifier=HERE)),
        ("Get", get("")),
        ("Get", get("k" * 513)),
        ("Get", get(key, where=v2.Identifier(project="a/b"))),
        ("Put", literals),
        ("Put", nothing),
        ("Put", put(key, "")),
        ("Put", late),
        ("GetOrExtendReservation", claim(key, "")),
        ("ReleaseReservation", release(key, "")),
        ("Delete", delete("")),
    ):
        assert await flyte.ask(method, request) == "invalid_argument", (method, request)
    assert await flyte.ask("Get", get(key)) == "not_found"


# -- the protocol ------------------------------------------------------------------------------------------------------


async def test_forms_of_requests(flyte, server, key):
    await flyte.ask("Put", put(key))
    assert (await flyte.ask("Get", get(key), connect_protocol_version="")).output.output_uri
    assert await flyte.ask("Get", get(key), connect_protocol_version="2") == "invalid_argument"
    typed = {"content_type": f"{flyte.form}; charset=utf-8"}
    content = get(key).SerializeToString() if flyte.form == PROTO else json_format.MessageToJson(get(key)).encode()
    assert (await flyte.send("Get", content, **typed)).status_code == 200
    assert (await flyte.send("Get", gzip.compress(content), content_encoding="gzip")).status_code == 200
    assert (await flyte.send("Get", content, content_encoding="identity")).status_code == 200
    strange = await flyte.send("Get", content, content_encoding="br")
    assert (strange.status_code, strange.json()["code"]) == (501, "unimplemented")
    for body in (content, gzip.compress(content)[:-1], gzip.compress(content) + b"more"):
        assert (await flyte.send("Get", body, content_encoding="gzip")).json()["code"] == "invalid_argument"
    assert (await flyte.send("Get", b"\xff\xff\xff")).json()["code"] == "invalid_argument"


async def test_answers_beside_the_protocol(flyte):
    assert (await flyte.send("Nothing", b"")).status_code == 404
    assert (await flyte.http.post(f"{SERVICE}/")).status_code == 404
    looked = await flyte.http.get(f"{SERVICE}/Get")
    assert (looked.status_code, looked.headers["allow"]) == (405, "POST")
    for kind in ("application/grpc", "text/plain", ""):
        odd = await flyte.send("Get", b"", content_type=kind)
        assert (odd.status_code, odd.headers["accept-post"]) == (415, "application/proto, application/json")


async def test_messages_that_are_too_large(flyte):
    large = await flyte.send("Put", b"\0" * (LIMIT + 1))
    assert (large.status_code, large.json()["code"]) == (429, "resource_exhausted")
    bomb = zlib.compressobj(wbits=31)
    packed = bomb.compress(b"\0" * (LIMIT * 4)) + bomb.flush()
    assert len(packed) < 64 * 1024
    unpacked = await flyte.send("Put", packed, content_encoding="gzip")
    assert (unpacked.status_code, unpacked.json()["code"]) == (429, "resource_exhausted")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_error_has_a_code(kind):
    code, status = code_of(kind())
    assert code != "internal"
    assert 400 <= status <= 503


async def test_bugs_are_told_by_a_number(flyte, server, monkeypatch, caplog):
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret is 42")

    facade = server.application._facades.app(SERVICE + "/")
    monkeypatch.setattr(facade._cache, "get", broken)
    answer = await flyte.send("Get", b"{}" if flyte.form == JSON else b"")
    assert answer.json()["code"] == "invalid_argument"
    with caplog.at_level("CRITICAL", logger="lakehouse.facades.cache.connect"):
        code = await flyte.ask("Get", get("k"))
    assert code == "internal"


# -- who asks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "headers", "code"),
    [
        ("10.1.2.3", {}, None),
        ("::ffff:10.1.2.3", {}, None),
        ("fd00::1", {}, None),
        ("192.0.2.1", {"x_forwarded_for": "10.1.2.3"}, None),
        ("203.0.113.9", {}, "unauthenticated"),
        ("203.0.113.9", {"x_forwarded_for": "10.1.2.3"}, "unauthenticated"),
        ("10.1.2.3", {"x_forwarded_for": "203.0.113.9"}, "unauthenticated"),
        ("10.1.2.3", {"forwarded": "for=203.0.113.9"}, "unauthenticated"),
        ("192.0.2.1", {"x_forwarded_for": "203.0.113.9"}, "unauthenticated"),
        ("192.0.2.1", {}, "unauthenticated"),
        ("10.1.2.3", {"authorization": "Bearer wrong"}, "unauthenticated"),
        ("not an address", {}, "unauthenticated"),
    ],
)
async def test_callers_without_credentials(server, key, peer, headers, code):
    client = Flytes(server, peer=peer)
    answer = await client.ask("Put", put(key), **headers)
    assert answer == (code or base.PutCacheResponse())
    await client.http.aclose()


async def test_the_anonymous_user_has_the_cache_and_nothing_else(server, key):
    client = Flytes(server, peer="10.1.2.3")
    await client.ask("Put", put(key))
    assert (await client.ask("Get", get(key))).output.output_uri
    assert (await client.http.get(f"/api/v1/flyte/cache/p/d/{key.replace('/', '%2F')}")).status_code == 401
    assert (await client.http.get("/api/v1/repositories")).status_code == 401
    async with server.client(auth=(KEY, SECRET)) as admin:
        policies = (await admin.get("/auth/users/flyte-anonymous/policies")).json()["results"]
        assert [one["id"] for one in policies] == ["FlyteAnonymous"]
        assert {statement["resource"] for one in policies for statement in one["statement"]} == {
            "arn:lakefs:fs:::repository/flyte-cache/object/*"
        }
        assert (await admin.get("/auth/users/flyte-anonymous/credentials")).json()["results"] == []
        assert (await admin.delete("/auth/users/flyte-anonymous/policies/FlyteAnonymous")).status_code == 204
        assert await client.ask("Get", get(key)) == "permission_denied"
        assert (await admin.delete("/auth/users/flyte-anonymous")).status_code == 204
    assert (await client.ask("Get", get(key))).output.output_uri, "made again"
    await client.http.aclose()


async def test_calls_are_recorded(server, key):
    client = Flytes(server, peer="10.1.2.3")
    await client.ask("Put", put(key))
    await client.ask("Delete", delete(key))
    await client.ask("Get", get(key))
    await server.application._audit.flush()
    async with server.client(auth=(KEY, SECRET)) as admin:
        events = (await admin.get("/auth/audit", params={"amount": 1000})).json()["results"]
    mine = {one["operation"]: one for one in events if one["resources"].get("key") == key}
    assert {name: one["status_code"] for name, one in mine.items()} == {
        "put_cache_entry": 200,
        "delete_cache_entry": 200,
        "get_cache_entry": 404,
    }
    assert {one["actor"] for one in mine.values()} == {"flyte-anonymous"}
    assert {one["peer"] for one in mine.values()} == {"10.1.2.3"}
    await client.http.aclose()


async def test_off_means_not_there(tmp_path):
    server = await started(tmp_path, Hands(), facades=Facades(flyte="off"))
    client = Flytes(server, auth=(KEY, SECRET))
    answer = await client.send("Get", get("k").SerializeToString())
    assert answer.status_code == 404
    assert "message" in json.loads(answer.content)
    await client.http.aclose()
    await server.application.stop()


async def test_networks_that_are_none_are_said_at_the_start(tmp_path):
    application = Application(Config(data=str(tmp_path), flyte=Flyte(anonymous=("10.0.0.0/99",))))
    with pytest.raises(BadConfiguration, match=r"flyte\.anonymous"):
        await application.start()
