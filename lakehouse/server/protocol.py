# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 for uvicorn: from bytes to ASGI requests, and from ASGI answers to bytes.

uvicorn runs the server; this is the protocol that it makes for each connection, because its own costs more than most
requests do. The head of an answer waits for the first piece of the body, so that both are one write; a connection has
one timer that is moved on when it fires, not one for each request; events are made when somebody waits.

Invariants: answers go out in the order of the requests; a header can never smuggle in a line of its own; a body that is
shorter or longer than its announced length ends the connection; reading stops while nobody takes the body.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    import uvicorn
    from uvicorn.server import ServerState

    Message = MutableMapping[str, Any]

HIGH_WATER = 64 * 1024
"""Bytes of a request's body that may lie unread before the connection is not read any more."""
ONE_WRITE = 64 * 1024
"""Bodies up to this many bytes are copied behind their head."""

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_WITHOUT_BODY = frozenset({204, 304})
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BLANK = b" \t"
_LINE_END = b" HTTP/1.1\r\n"
_END = b"\r\n\r\n"
_SHORT = 4096
"""Bytes of a request whose headers are kept, at most."""
_UNKNOWN: tuple[bytes, list[tuple[bytes, bytes]]] = (b"\0", [])
"""No request ends with this."""
_GET = re.compile(rb"GET (/[!\"$-~]*)")
"""The beginning of a request, for a target of plain characters, without a fragment."""
_DISCONNECT = "http.disconnect"


def _closing(status: int, text: bytes) -> tuple[Message, Message]:
    """An answer after which the connection ends."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text))]
    start = {"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]}
    return start, {"type": "http.response.body", "body": text}


_FAILED = _closing(500, b"Internal Server Error")
_REFUSED = _closing(400, b"Invalid HTTP request received.")
_ASGI = {"version": "3.0", "spec_version": "2.3"}
logger = logging.getLogger(__name__)
requests = logging.getLogger("lakehouse.requests")


class Traffic:
    """What all connections of a process have taken and given, in bytes, and how many are open.

    An application that wants to know puts one into the state of its lifespan, as `traffic`. `log`: whether a line is
    written for each request.
    """

    __slots__ = ("connections", "log", "received", "sent")

    def __init__(self, *, log: bool = False) -> None:
        self.connections = self.received = self.sent = 0
        self.log = log


class HttpProtocol(asyncio.Protocol):
    """One connection. Its constructor is the one that uvicorn calls."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = _loop or asyncio.get_running_loop()
        self._app = cast("Callable[..., Awaitable[None]]", config.loaded_app)
        self._app_state = app_state
        self._state = server_state
        self.traffic: Traffic = app_state.get("traffic") or Traffic()
        self._keep_alive = config.timeout_keep_alive
        self._parser = httptools.HttpRequestParser(self)
        self.transport: asyncio.Transport
        self._addresses: tuple[Any, Any, str]
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._expects = False
        self._newest: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._busy = False
        self._idle_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reading = True
        self._writable: asyncio.Event | None = None
        self._known = _UNKNOWN
        """What followed the target of the newest plain GET, and the headers that the parser made of it."""
        self._within = False
        """Whether the parser is within a request: what comes belongs to that one, whatever it looks like."""
        self._defaults: tuple[object, bytes] = (None, b"")

    # -- the transport's calls -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._addresses = (
            get_local_addr(self.transport),
            get_remote_addr(self.transport),
            "https" if is_ssl(self.transport) else "http",
        )
        self._state.connections.add(self)  # type: ignore[arg-type]
        self.traffic.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)
        self.traffic.connections -= 1
        if self._timer is not None:
            self._timer.cancel()
        if self._newest is not None:
            self._newest.lose()
        for exchange in self._queue:
            exchange.lose()
        self._queue.clear()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        self._busy = True
        self.traffic.received += len(data)
        if self._begin_again(data):
            return
        apart = not self._within
        try:
            self._parser.feed_data(data)
            if apart:
                self._learn(data)
        except httptools.HttpParserUpgrade:
            return  # it is answered as if nothing had been asked for, and the connection ends with that
        except httptools.HttpParserError:
            self._refuse()

    def _learn(self, data: bytes) -> None:
        """Keep the headers of a GET that came in one piece: most clients send the very same ones with each request."""
        newest = self._newest
        if data.startswith(b"GET ") and len(data) <= _SHORT and data.find(_END) == len(data) - len(_END):
            at = data.find(_LINE_END)
            plain = newest is not None and newest.whole and newest.keep_alive and not self._expects
            first = at > 0 and data.find(b"\n") == at + len(_LINE_END) - 1
            self._known = (data[at:], self._headers) if plain and first else _UNKNOWN

    def _begin_again(self, data: bytes) -> bool:
        """Begin a GET with the headers that are kept, past the parser; False: that is not what it is."""
        newest, (known, headers) = self._newest, self._known
        if newest is None or not newest.complete or self._within or not data.endswith(known):
            return False
        line = _GET.fullmatch(data, 0, len(data) - len(known))
        if line is None:
            return False
        self._headers, self._expects = headers.copy(), False
        self._begin("GET", line[1], "1.1", keep_alive=True).end()
        return True

    def eof_received(self) -> None:
        """The transport closes itself."""

    def pause_writing(self) -> None:
        self._writable = self._writable or asyncio.Event()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def shutdown(self) -> None:
        """The server ends: close, after the answers that are still to be given."""
        if self._newest is None or self._newest.complete:
            self.transport.close()
        else:
            self._newest.keep_alive = False

    # -- the parser's calls ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._within = True
        self._url = b""
        self._headers = []
        self._expects = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self._expects = True
        self._headers.append((name, value.rstrip(_BLANK)))

    def on_headers_complete(self) -> None:
        parser = self._parser
        version = parser.get_http_version()
        keep_alive = version == "1.1" and parser.should_keep_alive() and not parser.should_upgrade()
        self._begin(parser.get_method().decode("ascii"), self._url, version, keep_alive=keep_alive)

    def _begin(self, method: str, url: bytes, version: str, *, keep_alive: bool) -> Exchange:
        """A request with the headers at hand: its turn comes at once, or when those before it are answered."""
        raw_path, query = _target(url)
        path = raw_path.decode("latin-1")
        server, client, scheme = self._addresses
        scope: Message = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": server,
            "client": client,
            "scheme": scheme,
            "root_path": "",
            "headers": self._headers,
            "state": self._app_state,
            "method": method,
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
        }
        before = self._newest
        exchange = self._newest = Exchange(self, scope, keep_alive=keep_alive, expects=self._expects)
        if before is None or before.complete:
            self._start(exchange)
        else:
            self._queue.append(exchange)
            self.pause_reading()
        return exchange

    def on_body(self, body: bytes) -> None:
        if self._newest is not None:
            self._newest.feed(body)

    def on_message_complete(self) -> None:
        self._within = False
        if self._newest is not None:
            self._newest.end()

    # -- for exchanges ---------------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Take no more from the peer for now."""
        if self._reading and not self.transport.is_closing():
            self._reading = False
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take more, unless requests wait for their turn."""
        if not self._reading and not self._queue and not self.transport.is_closing():
            self._reading = True
            self.transport.resume_reading()

    async def writable(self) -> None:
        """Wait until the peer has taken most of what was written."""
        while self._writable is not None:
            await self._writable.wait()

    def default_head(self) -> bytes:
        """The headers that the server adds to every answer, such as the date; rendered when they change."""
        headers = self._state.default_headers
        if headers is not self._defaults[0]:
            self._defaults = (headers, b"".join([b"%b: %b\r\n" % pair for pair in headers]))
        return self._defaults[1]

    def answered(self, exchange: Exchange) -> None:
        """An answer has gone out whole: the next request's turn."""
        self._state.total_requests += 1
        if not exchange.keep_alive:
            self.transport.close()
        elif self._queue:
            self._start(self._queue.popleft())
        else:
            self._busy = False
            self._idle_since = self.loop.time()
            if self._timer is None:
                self._timer = self.loop.call_later(self._keep_alive, self._expire)
        self.resume_reading()

    def _start(self, exchange: Exchange) -> None:
        task = self.loop.create_task(exchange.run(self._app))
        tasks = self._state.tasks
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def _expire(self) -> None:
        self._timer = None
        if self._busy or self.transport.is_closing():
            return
        rest = self._idle_since + self._keep_alive - self.loop.time()
        if rest > 0:
            self._timer = self.loop.call_later(rest, self._expire)
        else:
            self.transport.close()

    def _refuse(self) -> None:
        """Answer what is not HTTP, if nothing else is being answered, and close.

        Bytes behind a body are its own fault as long as nobody has taken it whole: its length was a lie, and what is
        there of it must not pass for all of it.
        """
        if self._newest is not None and self._newest.spoil():
            return
        if self._newest is None or self._newest.complete:
            text = b"Invalid HTTP request received."
            head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
                text
            )
            self.transport.write(_STATUS_LINES[400] + self.default_head() + head + text)
        self.transport.close()


class Exchange:
    """A request and its answer."""

    __slots__ = (
        "_chunked", "_event", "_expects", "_fed", "_head", "_length", "_more", "_pieces", "_protocol", "_scope",
        "_spoiled", "_started", "_status", "_taken", "_unread", "complete", "gone", "keep_alive",
    )  # fmt: skip

    def __init__(self, protocol: HttpProtocol, scope: Message, *, keep_alive: bool, expects: bool) -> None:
        self._protocol = protocol
        self._scope = scope
        self._expects = expects
        self.keep_alive = keep_alive
        self.complete = self.gone = False
        self._event: asyncio.Event | None = None
        self._pieces: list[bytes] = []
        self._unread = 0
        self._more = True
        self._taken = self._fed = self._spoiled = False
        self._head: bytes | None = None
        self._started = False
        self._chunked = False
        self._length: int | None = 0
        self._status = 0

    async def run(self, app: Callable[..., Awaitable[None]]) -> None:
        """Have the request answered. A request whose answer is not whole at the end takes the connection with it."""
        began = time.perf_counter() if self._protocol.traffic.log else 0.0
        try:
            await app(self._scope, self.receive, self.send)
            if self._spoiled and not (self._started or self.gone):
                await self._say(_REFUSED)
            elif not self.complete and not self.gone:
                raise RuntimeError("the answer is not whole")
        except asyncio.CancelledError:
            self._protocol.transport.close()
            raise
        except Exception:
            logger.exception("%s %s failed", self._scope["method"], self._scope["path"])
            await self._fail()
        finally:
            if began:
                self._note(time.perf_counter() - began)

    def _note(self, seconds: float) -> None:
        """Write a line about the request, without its query, which may hold a signature. 499: nobody waited for it."""
        scope, peer = self._scope, self._scope["client"]
        requests.info(
            "%s %s %d",
            scope["method"],
            ascii(scope["path"])[1:-1],
            self._status if self.complete else 499,
            extra={"milliseconds": round(seconds * 1000, 2), "peer": peer[0] if peer else ""},
        )

    async def _fail(self) -> None:
        if self._started or self.gone:
            self._protocol.transport.close()
            return
        await self._say(_FAILED)

    async def _say(self, messages: tuple[Message, Message]) -> None:
        self._head = None
        for message in messages:
            await self.send(message)

    # -- the request -----------------------------------------------------------------------------------------------

    @property
    def whole(self) -> bool:
        """Whether the request has come whole."""
        return not self._more

    def feed(self, body: bytes) -> None:
        """A piece of the body has come."""
        if self.complete:
            return
        self._fed = True
        self._pieces.append(body)
        self._unread += len(body)
        if self._unread > HIGH_WATER:
            self._protocol.pause_reading()
        self._wake()

    def end(self) -> None:
        """The body has come whole."""
        self._more = False
        self._wake()

    def spoil(self) -> bool:
        """What followed the body, or was in its place, cannot be: whether that is in time to be said of this request,
        which then never has its body whole.
        """
        if self.complete or self._taken or not (self._more or self._fed):
            return False
        self._spoiled, self.keep_alive = True, False
        self._wake()
        return True

    def lose(self) -> None:
        """The peer has gone away."""
        self.gone = True
        self._wake()

    def _wake(self) -> None:
        if self._event is not None:
            self._event.set()

    async def receive(self) -> Message:
        """The next piece of the body; then that the peer is gone, or that it was answered."""
        if self._expects:
            self._expects = False
            if not self._started and not self._protocol.transport.is_closing():
                self._protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not (self.gone or self.complete or self._spoiled) and (self._taken or (self._more and not self._pieces)):
            if self._event is None:
                self._event = asyncio.Event()
            self._event.clear()
            self._protocol.resume_reading()
            await self._event.wait()
        if self.gone or self.complete or self._spoiled:
            return {"type": _DISCONNECT}
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces, self._unread = [], 0
        self._taken = not self._more
        return {"type": "http.request", "body": body, "more_body": self._more}

    # -- the answer ------------------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Send the head, then pieces of the body. Nothing is sent to a peer that is gone.

        Raises RuntimeError for messages out of order, a head that is none, and a body that is not as long as it says.
        """
        if self._protocol._writable is not None and not self.gone:
            await self._protocol.writable()
        if self.gone:
            return
        kind = message["type"]
        if kind == "http.response.start" and self._head is None:
            self._head = self._head_of(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self._head is not None and not self.complete:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"{kind} is out of order")

    def _head_of(self, status: int, headers: Any) -> bytes:
        protocol = self._protocol
        self._status = status
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status, protocol.default_head()]
        length: int | None = None
        chunked = closing = False
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = value.lower() == b"chunked"
            elif name == b"connection" and b"close" in value.lower():
                closing = True
            lines.append(b"%b: %b\r\n" % (name, value))
        if self._scope["method"] == "HEAD" or status in _WITHOUT_BODY:
            length, chunked = 0, False
        elif length is None and not chunked and self._scope["http_version"] == "1.1":
            chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
        if length is None and not chunked:
            self.keep_alive = False  # the end of the connection is the end of the body
        if closing:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        self._length, self._chunked = length, chunked
        return _checked(b"".join(lines), len(lines) - 2 + protocol.default_head().count(b"\n") + 1)

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._scope["method"] == "HEAD":
            body = b""
        if self._chunked:
            framed = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body = framed if more else framed + b"0\r\n\r\n"
        elif self._length is not None:
            self._length -= len(body)
            if self._length < 0 or (self._length and not more):
                raise RuntimeError("the body is not as long as its Content-Length says")
        self._write(body)
        if not more:
            self.complete = True
            self._wake()
            self._protocol.answered(self)

    def _write(self, body: bytes) -> None:
        write, traffic = self._protocol.transport.write, self._protocol.traffic
        if self._started:
            if body:
                traffic.sent += len(body)
                write(body)
            return
        self._started = True
        head = self._head or b""
        traffic.sent += len(head) + len(body)
        if len(body) <= ONE_WRITE:
            write(head + body)
        else:
            write(head)
            write(body)


def _checked(head: bytes, lines: int) -> bytes:
    """A head with its empty line, if it has `lines` lines and no control characters. Raises RuntimeError."""
    if head.count(b"\n") != lines or head.count(b"\r") != lines or _CONTROL.search(head):
        raise RuntimeError("a header has characters that no header may have")
    return head + b"\r\n"


def _target(url: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request's target."""
    if url[:1] == b"/" and b"#" not in url:
        path, _, query = url.partition(b"?")
        return path, query
    parsed = httptools.parse_url(url)
    return parsed.path or b"/", parsed.query or b""
