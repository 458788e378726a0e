# SPDX-License-Identifier: Apache-2.0
"""A whole server in the test's own process, driven through its ASGI side; a fresh repository for each test."""

from __future__ import annotations

import itertools
import json
from typing import Any

import httpx2
import msgspec
import pytest

from lakehouse.config.model import Config, Database, Secret
from lakehouse.server.app import Application
from lakehouse.server.start import first_start

KEY = "AKIAJTESTTESTTESTTEQ"
SECRET = "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"
ROOT = "http://localhost:8000/api/v1"
_names = itertools.count(1)


class Hands:
    """A clock by hand."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


class Server:
    """A started application, its clock, and clients of it."""

    def __init__(self, application: Application, clock: Hands) -> None:
        self.application = application
        self.clock = clock
        self.ids = itertools.count(1)

    def client(self, **options: Any) -> httpx2.AsyncClient:
        """A client; `auth` and `headers` as for httpx, `base_url` with the path of the REST side."""
        options.setdefault("base_url", ROOT)
        transport = httpx2.ASGITransport(app=self.application, raise_app_exceptions=True)
        return httpx2.AsyncClient(transport=transport, **options)


async def started(folder: Any, clock: Hands, **settings: Any) -> Server:
    """A server on `folder`. Whoever starts it stops its application."""
    config = msgspec.structs.replace(
        Config(data=str(folder), admin_access_key_id=KEY, admin_secret_access_key=Secret(SECRET)), **settings
    )
    await first_start(config, clock=clock)
    application = Application(config, clock=clock)
    await application.start()
    return Server(application, clock)


def settings_of(request):
    """The database that a fixture's parameter names, `sqlite` or `postgres`."""
    if request.param == "sqlite":
        return {}
    url = request.getfixturevalue("postgres_url_of_module")
    return {"database": Database(url=url), "secret": Secret("a secret for the tests")}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
async def server(request, tmp_path_factory):
    """A server on each database."""
    made = await started(tmp_path_factory.mktemp("data"), Hands(), **settings_of(request))
    yield made
    await made.application.stop()


@pytest.fixture(scope="module")
async def api(server):
    """A client that is the administrator."""
    async with server.client(auth=(KEY, SECRET)) as client:
        yield client


@pytest.fixture(scope="module")
async def nobody(server):
    """A client without credentials."""
    async with server.client() as client:
        yield client


class Repo:
    """A repository, and the steps that most tests begin with. Steps fail the test when they are refused."""

    def __init__(self, api: httpx2.AsyncClient, name: str) -> None:
        self.api = api
        self.name = name
        self.url = f"/repositories/{name}"

    async def ask(self, method: str, path: str = "", **options: Any) -> httpx2.Response:
        return await self.api.request(method, self.url + path, **options)

    async def done(self, method: str, path: str = "", **options: Any) -> Any:
        answer = await self.ask(method, path, **options)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        if answer.headers.get("content-type") == "application/json":
            return answer.json()
        return answer.text

    async def put(self, path: str, body: bytes = b"x", *, branch: str = "main", **options: Any) -> Any:
        return await self.done("POST", f"/branches/{branch}/objects", params={"path": path}, content=body, **options)

    async def remove(self, path: str, *, branch: str = "main") -> None:
        await self.done("DELETE", f"/branches/{branch}/objects", params={"path": path})

    async def commit(self, message: str = "m", *, branch: str = "main", **more: Any) -> Any:
        return await self.done("POST", f"/branches/{branch}/commits", json={"message": message, **more})

    async def branch(self, name: str, source: str = "main", **more: Any) -> str:
        return await self.done("POST", "/branches", json={"name": name, "source": source, **more})

    async def head(self, branch: str = "main") -> str:
        return (await self.done("GET", f"/branches/{branch}"))["commit_id"]

    async def merge(self, source: str, destination: str, **more: Any) -> str:
        return (await self.done("POST", f"/refs/{source}/merge/{destination}", json=more))["reference"]

    async def paths(self, ref: str = "main", **query: Any) -> list[str]:
        return [one["path"] for one in (await self.done("GET", f"/refs/{ref}/objects/ls", params=query))["results"]]

    async def diff(self, path: str, **query: Any) -> list[tuple[str, str]]:
        return [(one["type"], one["path"]) for one in (await self.done("GET", path, params=query))["results"]]

    async def address(self, path: str, *, branch: str = "main", **query: Any) -> Any:
        return await self.done("GET", f"/branches/{branch}/staging/backing", params={"path": path, **query})

    async def link(self, path: str, location: Any, *, branch: str = "main", **more: Any) -> httpx2.Response:
        body = {"staging": location, "checksum": "c", "size_bytes": 1, **more}
        return await self.ask("PUT", f"/branches/{branch}/staging/backing", params={"path": path}, json=body)

    async def protect(self, *patterns: str) -> None:
        await self.done("PUT", "/settings/branch_protection", json=[{"pattern": one} for one in patterns])


def fresh_name() -> str:
    """A repository name that no test has used."""
    return f"repo-{next(_names)}"


async def make(api: httpx2.AsyncClient, **more: Any) -> Repo:
    """A new repository."""
    name = more.pop("name", None) or fresh_name()
    query = {"bare": more.pop("bare")} if "bare" in more else {}
    answer = await api.post("/repositories", params=query, json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    return Repo(api, name)


@pytest.fixture
async def repo(api):
    return await make(api)


@pytest.fixture
async def frozen(api):
    """A read-only repository with one branch, `main`."""
    return await make(api, read_only=True)


async def read_object(repo: Repo, path: str, *, ref: str = "main", method: str = "GET", headers=None, **query):
    return await repo.ask(method, f"/refs/{ref}/objects", params={"path": path, **query}, headers=headers)


async def stat_object(repo: Repo, path: str, ref: str = "main", **query):
    return await repo.done("GET", f"/refs/{ref}/objects/stat", params={"path": path, **query})


def refused(answer: httpx2.Response, status: int, text: str = "") -> None:
    """The answer is an error object of this status whose message contains `text`."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.text.endswith("}\n")
    body = answer.json()
    assert set(body) == {"message"}
    assert text in body["message"]


async def drive(
    application: Any,
    method: str,
    path: str,
    *,
    query: str = "",
    pieces: list[bytes],
    length: int | None = None,
    leave: bool = False,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """A request message by message, as administrator. `length`: of the Content-Length header, None for a chunked body.
    `leave`: the caller goes away after the last piece.
    """
    import base64

    pair = base64.b64encode(f"{KEY}:{SECRET}".encode())
    sent = [(b"host", b"localhost:8000"), (b"authorization", b"Basic " + pair)]
    sent += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    sent.append((b"transfer-encoding", b"chunked") if length is None else (b"content-length", str(length).encode()))
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": leave or number + 1 < len(pieces)}
        for number, piece in enumerate(pieces)
    ]
    status, out = 0, b""

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, out
        status = message.get("status", status)
        out += message.get("body", b"")

    full = f"/api/v1{path}"
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": full,
        "raw_path": full.encode(),
        "query_string": query.encode(),
        "headers": sent,
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    await application(scope, receive, send)
    return status, out


def lines(items: list[Any]) -> bytes:
    """NDJSON."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)
