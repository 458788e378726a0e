# SPDX-License-Identifier: Apache-2.0
"""A small server behind the real dispatch, and both clients of it under one manner of speaking.

`client` is the asynchronous client, then the synchronous one behind an adapter that makes its calls awaitable.
"""

from __future__ import annotations

import asyncio
from hashlib import md5
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from msgspec import UNSET

from lakehouse.api.errors import error_response, location_of
from lakehouse.asgi.dispatch import ApiApp
from lakehouse.asgi.form import read_upload
from lakehouse.asgi.items import ItemReader
from lakehouse.asgi.responses import PACKED_HEADERS, Response, packed_bytes, redirection
from lakehouse.core import records
from lakehouse.core.errors import BranchNotFound, ObjectNotFound, StagingMoved, Unauthenticated
from lakehouse.core.ids import UserId
from lakehouse.core.staging_location import StagingLocation
from lakehouse.sdk import AsyncClient, Client, Retry
from lakehouse.wire.branches import Ref, RefList
from lakehouse.wire.objects import ObjectStats
from lakehouse.wire.packed import MSGPACK
from lakehouse.wire.paging import page_of
from lakehouse.wire.staging import LinkItem, LinkResult, LinkResultList, PathLocation
from lakehouse.wire.table import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ENDPOINT = "http://lake.example:8000"
USER = records.User(id=UserId(1), name="ada", created=0)


class Server:
    """Branches, a store and links, in memory; counts what it is asked, fails and moves as told."""

    def __init__(self) -> None:
        self.branches = {f"b{number:04}": f"c{number}" for number in range(2500)}
        self.stored: dict[str, bytes] = {}
        self.linked: dict[str, Any] = {}
        self.objects: dict[str, bytes] = {}
        self.epoch = 0
        self.moves_before_link = 0
        self.failures: list[int] = []
        self.requests: list[tuple[str, str]] = []
        self.authorizations: list[str | None] = []
        self.presigns = True
        handlers: dict[str, Any] = {operation.name: self.unknown for operation in OPERATIONS}
        handlers |= {name: getattr(self, name) for name in handlers if hasattr(self, name)}
        self.api = ApiApp(
            None, OPERATIONS, handlers, authenticate=self.authenticate, authorize=None, errors=error_response
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests.append((scope["method"], scope["path"]))
        self.authorizations.append(dict(scope["headers"]).get(b"authorization", b"").decode() or None)
        if self.failures:
            status = self.failures.pop(0)
            await Response(status, [(b"retry-after", b"1")]).send(send, receive, request_id="r")
        elif scope["path"].startswith("/store/"):
            await self.store(scope, receive, send)
        else:
            await self.api(scope, receive, send)

    async def store(self, scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"].removeprefix("/store/")
        if scope["method"] == "PUT":
            body, more = b"", True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            self.stored[name] = body
        etag = f'"{md5(self.stored[name]).hexdigest()}"'.encode()
        await Response(200, [(b"etag", etag)], self.stored[name]).send(send, receive, request_id="r")

    async def unknown(self, _context: object, call: Any) -> Any:
        raise NotImplementedError(call.operation.name)

    async def authenticate(self, call: Any) -> records.User | None:
        given = call.header(b"authorization")
        if given == "Bearer bad":
            raise Unauthenticated
        return USER if given else None

    async def health_check(self, _context: object, _call: Any) -> None:
        return None

    async def get_branch(self, _context: object, call: Any) -> Ref:
        if call.path["branch"] not in self.branches:
            raise BranchNotFound
        return Ref(call.path["branch"], self.branches[call.path["branch"]])

    async def create_branch(self, _context: object, call: Any) -> str:
        self.branches[call.body.name] = call.body.source
        return str(call.body.source)

    async def list_branches(self, _context: object, call: Any) -> RefList:
        names = sorted(n for n in self.branches if n > call.query.after and n.startswith(call.query.prefix))
        page = names[: call.query.limit]
        last = page[-1] if page else ""
        more = len(names) > len(page)
        return RefList(page_of(len(page), last=last, has_more=more), [Ref(n, self.branches[n]) for n in page])

    def location(self, path: str) -> StagingLocation:
        name = f"{len(self.requests)}-{path}"
        url = f"{ENDPOINT}/store/{name}" if self.presigns else None
        return StagingLocation(f"s3://lake.local/{name}", f"token-{self.epoch}", url, 900 if url else None)

    async def get_physical_address(self, _context: object, call: Any) -> Any:
        return location_of(self.location(call.query.path))

    async def get_physical_addresses(self, _context: object, call: Any) -> Any:
        assert call.header(b"accept") == call.header(b"content-type") == MSGPACK
        made = [(path, self.location(path)) for path in call.body.paths]
        found = [PathLocation(path=path, physical_address=one.physical_address, token=one.token) for path, one in made]
        return Response(200, list(PACKED_HEADERS), packed_bytes(found))

    def check(self, path: str, body: Any) -> None:
        if self.moves_before_link:
            self.moves_before_link -= 1
            self.epoch += 1
        if isinstance(body.staging.token, str) and body.staging.token != f"token-{self.epoch}":
            raise StagingMoved(self.location(path))
        self.linked[path] = body

    async def link_physical_address(self, _context: object, call: Any) -> ObjectStats:
        self.check(call.query.path, call.body)
        body = call.body
        return ObjectStats(
            path=call.query.path,
            physical_address=body.staging.physical_address,
            checksum=body.checksum,
            size_bytes=body.size_bytes,
            mtime=1,
            metadata=body.user_metadata,
            content_type=body.content_type,
        )

    async def link_physical_addresses(self, _context: object, call: Any) -> LinkResultList:
        items = [item async for page in ItemReader(LinkItem).pages(call) for item in page]
        results = []
        for item in items:
            try:
                self.check(item.path, item)
            except StagingMoved as error:
                if call.query.atomic:
                    raise
                location = location_of(error.location) if error.location else UNSET
                results.append(LinkResult(path=item.path, status_code=409, location=location))
            else:
                results.append(LinkResult(path=item.path))
        if call.query.atomic:
            return LinkResultList(linked=len(items))
        return LinkResultList(linked=len(items), results=results)

    async def upload_object(self, _context: object, call: Any) -> ObjectStats:
        upload = await read_upload(call)
        data = b"".join([chunk async for chunk in upload.body])
        self.objects[call.query.path] = data
        metadata = {
            name.decode().removeprefix("x-lakefs-meta-"): value.decode()
            for name, value in call.headers
            if name.startswith(b"x-lakefs-meta-")
        }
        return ObjectStats(
            path=call.query.path,
            physical_address="s3://a/b",
            checksum=md5(data).hexdigest(),
            size_bytes=len(data),
            mtime=1,
            metadata=metadata,
            content_type=upload.content_type,
        )

    async def get_object(self, _context: object, call: Any) -> Response:
        if call.query.path not in self.objects:
            raise ObjectNotFound("not found")
        if call.query.presign:
            self.stored["read"] = self.objects[call.query.path]
            return redirection(f"{ENDPOINT}/store/read")
        data = self.objects[call.query.path]
        if call.header(b"range"):
            first, last = call.header(b"range").removeprefix("bytes=").split("-")
            return Response(206, [], data[int(first) : int(last) + 1])
        return Response(200, [], data)


class InThread(httpx2.BaseTransport):
    """Lets the synchronous client speak to an ASGI application."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        async def ask() -> httpx2.Response:
            body = b"".join(request.stream)  # type: ignore[arg-type]
            inner = httpx2.Request(request.method, request.url, headers=request.headers, content=body)
            response = await httpx2.ASGITransport(self._app).handle_async_request(inner)
            content = await response.aread()
            return httpx2.Response(response.status_code, headers=response.headers, content=content)

        return asyncio.run(ask())


class Awaitable:
    """The synchronous client, spoken to like the other one."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return Awaitable(found)
        if "each" in name:
            return lambda *given, **named: self._each(lambda: list(found(*given, **named)))
        return lambda *given, **named: asyncio.to_thread(found, *given, **named)

    async def _each(self, collect: Callable[[], list[Any]]) -> AsyncIterator[Any]:
        for item in await asyncio.to_thread(collect):
            yield item


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture(params=["async", "sync"])
def connect(request: pytest.FixtureRequest, server: Server, waits: list[float]) -> Callable[..., Any]:
    """Makes clients of the server."""

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    def make(**options: Any) -> Any:
        options = {"access_key_id": "AKIA", "secret_access_key": "secret", "retry": Retry(base=0.01), **options}
        if request.param == "async":
            transport = options.pop("transport", None) or httpx2.ASGITransport(server)
            return AsyncClient(ENDPOINT, transport=transport, sleep=wait, **options)
        transport = options.pop("transport", None) or InThread(server)
        return Awaitable(Client(ENDPOINT, transport=transport, sleep=waits.append, **options))

    return make


@pytest.fixture
def client(connect: Callable[..., Any]) -> Any:
    return connect()
