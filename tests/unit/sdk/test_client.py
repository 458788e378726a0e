# SPDX-License-Identifier: Apache-2.0
"""Both clients against the real dispatch: answers, errors, pages, retries, staging."""

from __future__ import annotations

import io
from hashlib import md5
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from lakehouse.core.errors import (
    BranchNotFound,
    InvalidArgument,
    ObjectNotFound,
    StagingMoved,
    Unauthenticated,
    Unavailable,
)
from lakehouse.sdk import AsyncClient, Client, Retry
from lakehouse.wire.branches import Ref
from lakehouse.wire.staging import LinkItem, StagingLocation, StagingMetadata

from .conftest import ENDPOINT, InThread

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

DATA = b"some bytes" * 100


async def test_values_and_errors(client: Any) -> None:
    assert await client.branches.get_branch("lake", "b0007") == Ref("b0007", "c7")
    assert await client.branches.create_branch("lake", "new", "b0001") == "b0001"
    assert await client.health.health_check() is None
    with pytest.raises(BranchNotFound, match="branch not found"):
        await client.branches.get_branch("lake", "none")
    with pytest.raises(InvalidArgument, match="branch must not be empty"):
        await client.branches.get_branch("lake", "")


async def test_names_are_encoded(client: Any, server: Any) -> None:
    server.branches["a/b %é"] = "c"
    assert (await client.branches.get_branch("lake", "a/b %é")).commit_id == "c"


async def test_pages_are_followed(client: Any, server: Any) -> None:
    names = [ref.id async for ref in client.branches.each_branch("lake")]
    assert names == sorted(server.branches)
    assert len(server.requests) == 3
    page = await client.branches.list_branches("lake", prefix="b00", after="b0097", amount=5)
    assert [ref.id for ref in page.results] == ["b0098", "b0099"]
    assert (page.pagination.has_more, page.pagination.next_offset) == (False, "")


async def test_credentials(connect: Any, server: Any) -> None:
    await connect().branches.get_branch("lake", "b0001")
    none = {"access_key_id": None, "secret_access_key": None}
    await connect(token="good", **none).branches.get_branch("lake", "b0001")
    assert server.authorizations == ["Basic QUtJQTpzZWNyZXQ=", "Bearer good"]
    for options in ({"token": "bad"}, {}):
        with pytest.raises(Unauthenticated, match="error authenticating request"):
            await connect(**none, **options).branches.get_branch("lake", "b0001")


@pytest.mark.parametrize("options", [{"token": "t", "access_key_id": "a"}, {"access_key_id": "a"}])
def test_half_credentials(options: dict[str, str]) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(InvalidArgument, match="access key pair"):
            kind(ENDPOINT, **options)
        with pytest.raises(InvalidArgument, match="http"):
            kind("lake.example")


async def test_retries_of_what_can_be_repeated(client: Any, server: Any, waits: list[float]) -> None:
    server.failures = [503, 429, 502]
    assert (await client.branches.get_branch("lake", "b0001")).commit_id == "c1"
    assert len(server.requests) == 4
    assert [wait >= 1 for wait in waits] == [True] * 3


async def test_retries_end(connect: Any, server: Any) -> None:
    server.failures = [503] * 9
    with pytest.raises(Unavailable):
        await connect(retry=Retry(attempts=3)).branches.get_branch("lake", "b0001")
    assert len(server.requests) == 3


async def test_what_cannot_be_repeated_is_not(client: Any, server: Any) -> None:
    for work in (
        lambda: client.branches.create_branch("lake", "x", "b0001"),
        lambda: client.branches.hard_reset_branch("lake", "b0001", "b0001~"),
        lambda: client.staging.link_physical_address("lake", "b", "p", FACTS, if_absent=True),
    ):
        server.failures = [503]
        before = len(server.requests)
        with pytest.raises(Unavailable):
            await work()
        assert len(server.requests) == before + 1


class Refusing(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    def __init__(self) -> None:
        self.attempts = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.attempts += 1
        raise httpx2.ConnectError("refused", request=request)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return self.handle_request(request)


async def test_a_server_that_is_not_there(connect: Any, waits: list[float]) -> None:
    transport = Refusing()
    client = connect(transport=transport)
    with pytest.raises(Unavailable, match=r"cannot reach http://lake\.example:8000"):
        await client.branches.get_branch("lake", "b0001")
    assert transport.attempts == 5
    assert len(waits) == 4
    with pytest.raises(Unavailable):
        await client.branches.create_branch("lake", "x", "y")
    assert transport.attempts == 6


async def test_an_answer_from_something_else(connect: Any) -> None:
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, text="<html>"))
    with pytest.raises(Unavailable, match="is the endpoint right"):
        await connect(transport=transport).branches.get_branch("lake", "b0001")


def test_delays_grow_to_a_cap() -> None:
    retry = Retry(base=0.1, cap=1.0)
    assert [retry.delay(n, chance=1.0) for n in (1, 2, 3, 9)] == pytest.approx([0.1, 0.2, 0.4, 1.0])
    assert retry.delay(1, chance=0.0) == 0
    assert retry.delay(1, chance=0.0, retry_after="7") == 1.0
    assert retry.delay(1, chance=0.0, retry_after="soon") == 0
    assert 0 <= retry.delay(3) <= 0.4


FACTS = StagingMetadata(staging=StagingLocation(physical_address="s3://a", token="token-0"), checksum="x", size_bytes=1)


def sources(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return {"bytes": DATA, "path": path, "file": io.BytesIO(DATA)}


@pytest.mark.parametrize("kind", ["bytes", "path", "file"])
async def test_uploads_go_straight_to_the_store(client: Any, server: Any, tmp_path: Path, kind: str) -> None:
    stats = await client.staging.upload(
        "lake", "main", "a/b", sources(tmp_path)[kind], content_type="text/x", metadata={"Key": "v"}
    )
    assert (stats.path, stats.size_bytes, stats.checksum) == ("a/b", len(DATA), md5(DATA).hexdigest())
    assert (stats.content_type, stats.metadata) == ("text/x", {"Key": "v"})
    assert list(server.stored.values()) == [DATA]
    assert server.linked["a/b"].staging.token == "token-0"
    assert [bool(given) for given in server.authorizations] == [True, False, True]


async def chunks() -> Any:
    for at in range(0, len(DATA), 300):
        yield DATA[at : at + 300]


async def test_uploads_of_chunks(server: Any) -> None:
    async with AsyncClient(ENDPOINT, token="t", transport=httpx2.ASGITransport(server)) as client:
        for size in (None, len(DATA)):
            stats = await client.staging.upload("lake", "main", "a", chunks(), size=size)
            assert (stats.size_bytes, stats.checksum) == (len(DATA), md5(DATA).hexdigest())


def test_uploads_of_chunks_synchronously(server: Any) -> None:
    with Client(ENDPOINT, token="t", transport=InThread(server)) as client:
        stats = client.staging.upload("lake", "main", "a", iter([DATA[:300], DATA[300:]]))
    assert (stats.size_bytes, stats.checksum) == (len(DATA), md5(DATA).hexdigest())


async def test_commits_that_never_stop(client: Any, server: Any) -> None:
    server.moves_before_link = 10**9
    with pytest.raises(StagingMoved):
        await client.staging.link("lake", "main", "a", FACTS)
    with pytest.raises(StagingMoved):
        await client.staging.link_all("lake", "main", items(1))
    assert [one.status_code async for one in client.staging.link_each("lake", "main", items(1))] == [409]


async def test_a_commit_between_upload_and_link_costs_no_second_upload(client: Any, server: Any) -> None:
    server.moves_before_link = 3
    stats = await client.staging.upload("lake", "main", "a", DATA)
    assert len(server.stored) == 1
    address = f"s3://lake.local/{next(iter(server.stored))}"
    assert stats.physical_address == address
    assert server.linked["a"].staging == StagingLocation(physical_address=address, token="token-3")


async def test_a_plain_link_tells_of_the_move(client: Any, server: Any) -> None:
    server.epoch = 1
    with pytest.raises(StagingMoved) as caught:
        await client.staging.link_physical_address("lake", "main", "a", FACTS)
    assert caught.value.location is not None
    assert caught.value.location.token == "token-1"
    assert caught.value.location.presigned_url is not None
    tokenless = StagingMetadata(staging=StagingLocation(physical_address="s3://a"), checksum="x", size_bytes=1)
    assert (await client.staging.link_physical_address("lake", "main", "a", tokenless)).path == "a"


async def test_stores_without_presigned_urls(client: Any, server: Any) -> None:
    server.presigns = False
    stats = await client.staging.upload("lake", "main", "a", DATA, metadata={"k": "é"})
    assert (server.objects["a"], stats.metadata) == (DATA, {"k": "é"})


async def test_an_interrupted_upload_is_repeated_from_the_start(client: Any, server: Any, tmp_path: Path) -> None:
    location = await client.staging.get_physical_address("lake", "main", "a", presign=True)
    assert location.presigned_url.startswith(ENDPOINT)
    server.failures = [503]
    with pytest.raises(Unavailable):
        await client.objects.upload_object("lake", "main", "a", io.BytesIO(DATA))
    assert (await client.objects.upload_object("lake", "main", "a", tmp_path_with(tmp_path))).size_bytes == len(DATA)


def tmp_path_with(folder: Path) -> Path:
    path = folder / "data"
    path.write_bytes(DATA)
    return path


def items(count: int) -> list[LinkItem]:
    location = StagingLocation(physical_address="s3://a", token="token-0")
    return [LinkItem(path=f"p{n}", staging=location, checksum="x", size_bytes=1) for n in range(count)]


async def test_batches(client: Any, server: Any) -> None:
    addresses = await client.staging.get_physical_addresses("lake", "main", ["a", "b"])
    assert [one.path for one in addresses.results] == ["a", "b"]
    answer = await client.staging.link_physical_addresses("lake", "main", items(2500))
    assert (answer.linked, len(answer.results), len(server.linked)) == (2500, 2500, 2500)
    assert await client.staging.link_all("lake", "main", items(3)) == 3


async def test_batches_go_on_after_a_commit(client: Any, server: Any) -> None:
    server.epoch = 2
    assert await client.staging.link_all("lake", "main", items(3)) == 3
    assert {item.staging.token for item in server.linked.values()} == {"token-2"}
    server.epoch = 3
    before = len(server.requests)
    results = [one async for one in client.staging.link_each("lake", "main", items(12_000))]
    assert {one.status_code for one in results} == {200}
    assert sorted(one.path for one in results) == sorted(item.path for item in items(12_000))
    assert len(server.requests) - before == 4


async def test_reads(client: Any, server: Any) -> None:
    server.objects["a"] = b"0123456789"
    assert await client.objects.get_object("lake", "main", "a") == b"0123456789"
    assert await client.objects.get_object("lake", "main", "a", byte_range=(2, 4)) == b"234"
    assert await client.objects.get_object("lake", "main", "a", presign=True) == b"0123456789"
    assert server.authorizations[-1] is None
    with pytest.raises(ObjectNotFound):
        await client.objects.get_object("lake", "main", "b")


async def test_streamed_reads(server: Any) -> None:
    server.objects["a"] = DATA
    async with (
        AsyncClient(ENDPOINT, token="t", transport=httpx2.ASGITransport(server)) as client,
        client.objects.open_object("lake", "main", "a") as chunks,
    ):
        assert b"".join([chunk async for chunk in chunks]) == DATA


def test_streamed_reads_synchronously(server: Any) -> None:
    server.objects["a"] = DATA
    with (
        Client(ENDPOINT + "/api/v1/", token="t", transport=InThread(server)) as client,
        client.objects.open_object("lake", "main", "a") as chunks,
    ):
        assert b"".join(chunks) == DATA
