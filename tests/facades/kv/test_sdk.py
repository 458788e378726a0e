# SPDX-License-Identifier: Apache-2.0
"""Our own `Storage` against a server in a process of its own, over HTTP: every method."""

from __future__ import annotations

import http.client
import io
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import pytest

from lakehouse.sdk import Client
from lakehouse.sdk.kv import AuthError, BadRequestError, NotFoundError, Storage
from tests.facades.kv.test_storage import ODD
from tests.running import RunningServer, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("lake")) as running:
        yield running
    assert "Traceback" not in running.output, running.output


@pytest.fixture(scope="module")
def store(server: RunningServer) -> Iterator[Storage]:
    with Storage(f"{server.url}/storage/v1", auth=(server.key, server.secret)) as made:
        yield made


def test_values_and_keys(store: Storage) -> None:
    assert store.list("sdk/") == []
    for key in ODD:
        store.set(f"sdk/{key}", f"of {key}")
    assert store.list("sdk/") == sorted((f"sdk/{key}" for key in ODD), key=str.encode)
    assert list(store.iter_list("sdk/")) == store.list("sdk/")
    for key in ODD:
        assert store.get(f"sdk/{key}") == f"of {key}"
        assert store.exists(f"sdk/{key}")
        assert httpx2.get(store.get_signed_url(f"sdk/{key}")).text == f"of {key}"
        store.delete(f"sdk/{key}")
        assert not store.exists(f"sdk/{key}")
        with pytest.raises(NotFoundError):
            store.delete(f"sdk/{key}")


def test_text_of_a_file_is_stored_whole(store: Storage) -> None:
    store.set("text", io.StringIO("h\u00e9llo \u4e16\u754c"))
    assert store.get("text") == "h\u00e9llo \u4e16\u754c"


def test_files(store: Storage, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    (tmp_path / "source").write_bytes(content)
    store.set_file("file", tmp_path / "source", storage_type="result")
    store.get_file("file", str(tmp_path / "target"), storage_type="result")
    assert (tmp_path / "target").read_bytes() == content
    with pytest.raises(ValueError, match="get_file"):
        store.get("file", storage_type="result")


def test_urls_work_for_everybody(store: Storage) -> None:
    url = store.get_upload_url("by/url", "tmp", origin="ignored")
    assert httpx2.put(url, content=b"value").status_code == 200
    assert store.get("by/url", "tmp") == "value"
    assert httpx2.put(store.get_signed_url("by/url", "tmp"), content=b"x").status_code == 403


def test_errors(server: RunningServer, store: Storage) -> None:
    with pytest.raises(BadRequestError, match="use one of data, tmp, result"):
        store.get("k", "other")
    with pytest.raises(BadRequestError, match="missing path"):
        store.set("", "x")
    with pytest.raises(AuthError), Storage(f"{server.url}/storage/v1", auth="not.a.token") as nobody:
        nobody.list()


def test_a_token_of_a_login(server: RunningServer) -> None:
    login = {"access_key_id": server.key, "secret_access_key": server.secret}
    token = httpx2.post(f"{server.url}/api/v1/auth/login", json=login).json()["token"]
    with Storage(f"{server.url}/storage/v1", auth=token) as store:
        store.set("by/token", "x")
        assert store.exists("by/token")


def test_several_threads(store: Storage) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(5):
                store.set(f"threads/{number}", f"{number} {step}")
                assert store.get(f"threads/{number}") == f"{number} {step}"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.list("threads/")) == 8


def test_s3_clients_see_the_same(server: RunningServer, store: Storage) -> None:
    """A plain repository: its keys carry no branch there."""
    import boto3
    from botocore.config import Config

    s3: Any = boto3.client(
        "s3",
        endpoint_url=f"{server.url}/s3",
        aws_access_key_id=server.key,
        aws_secret_access_key=server.secret,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    store.set("s3/one", "value")
    assert s3.get_object(Bucket="descartes-data-admin", Key="s3/one")["Body"].read() == b"value"
    s3.put_object(Bucket="descartes-data-admin", Key="s3/two", Body=b"other")
    assert store.get("s3/two") == "other"
    assert store.list("s3/") == ["s3/one", "s3/two"]


def test_what_is_stored_can_be_committed(server: RunningServer, store: Storage) -> None:
    with Client(server.url, access_key_id=server.key, secret_access_key=server.secret) as lake:
        store.set("kept", "first")
        commit = lake.commits.commit("descartes-data-admin", "main", "what is stored")
        store.set("kept", "second")
        assert lake.objects.get_object("descartes-data-admin", commit.id, "kept") == b"first"
    assert store.get("kept") == "second"


def said(server: RunningServer, data: bytes, *, end: bool = False) -> bytes:
    """What the server answers to bytes on a connection, until it closes it."""
    where = urlsplit(server.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def head(url: str, *lines: str) -> bytes:
    parts = urlsplit(url)
    return "\r\n".join([f"PUT {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}", *lines, "", ""]).encode()


def test_bodies_that_lie_about_their_length_store_nothing(server: RunningServer, store: Storage) -> None:
    text = "h\u00e9llo \u4e16\u754c"
    url = store.get_upload_url("lies")
    longer = said(server, head(url, f"Content-Length: {len(text)}") + text.encode())
    assert longer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in longer.lower()
    assert not store.exists("lies")
    said(server, head(url, "Content-Length: 100") + b"short", end=True)
    assert not store.exists("lies")
    unframed = said(server, head(url, "Transfer-Encoding: chunked") + b"5\r\nhello\r\nnonsense")
    assert unframed.startswith(b"HTTP/1.1 400 ")
    assert not store.exists("lies")
    said(server, head(url, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n", end=True)
    assert not store.exists("lies")


def test_an_empty_chunked_body_is_an_empty_value(server: RunningServer, store: Storage) -> None:
    url = store.get_upload_url("nothing")
    answer = said(server, head(url, "Transfer-Encoding: chunked", "Connection: close") + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert store.get("nothing") == ""


def test_large_values_come_in_chunks(server: RunningServer, store: Storage) -> None:
    store.set("large", b"x" * 1_000_000)
    parts = urlsplit(store.get_signed_url("large"))
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request("GET", f"{parts.path}?{parts.query}")
    signed = connection.getresponse()
    assert (len(signed.read()), signed.headers["content-length"]) == (1_000_000, "1000000")
    connection.close()
    asked = store._transport._http.get(f"{server.url}/storage/v1/data/get/large", headers=store._transport._identify())
    assert asked.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in asked.headers
    assert len(asked.content) == 1_000_000


def test_figures_tell_of_it(server: RunningServer, store: Storage) -> None:
    store.exists("k")
    answer = httpx2.get(f"{server.url}/metrics")
    assert answer.status_code == 200
    assert 'lakehouse_descartes_requests_total{operation="value_exists",status="4xx"}' in answer.text
