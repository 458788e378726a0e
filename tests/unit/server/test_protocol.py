# SPDX-License-Identifier: Apache-2.0
"""HTTP on a connection, with a transport that only remembers what was done to it."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from lakehouse.server.protocol import HIGH_WATER, ONE_WRITE, HttpProtocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio
GET = b"GET /a%20b?x=1 HTTP/1.1\r\nHost: h\r\n\r\n"


class Wire(asyncio.Transport):
    """Remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False
        self.reading = True

    @property
    def text(self) -> bytes:
        return b"".join(self.writes)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("10.0.0.1", 5), "sockname": ("10.0.0.2", 80)}.get(name, default)

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Connection:
    """A protocol on a wire, with an application."""

    def __init__(self, app: Callable[..., Awaitable[None]], *, keep_alive: float = 5) -> None:
        config = uvicorn.Config(
            app,
            http=HttpProtocol,
            interface="asgi3",
            ws="none",
            log_config=None,
            timeout_keep_alive=keep_alive,  # type: ignore[arg-type]
        )
        config.load()
        self.state = ServerState()
        self.protocol = HttpProtocol(config, self.state, {})
        self.wire = Wire()
        self.protocol.connection_made(self.wire)

    async def settle(self) -> None:
        """Let everything run that can."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def say(self, *pieces: bytes) -> bytes:
        """Feed the pieces, one after the other; what was written since."""
        before = len(self.wire.text)
        for piece in pieces:
            self.protocol.data_received(piece)
            await self.settle()
        return self.wire.text[before:]


async def read(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body + b"|gone"
        body += message["body"]
        if not message["more_body"]:
            return body


def answer(body: bytes = b"ok", *headers: tuple[bytes, bytes], status: int = 200) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    return app


def sized(body: bytes) -> Any:
    return answer(body, (b"content-length", b"%d" % len(body)))


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body = await read(receive)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def test_an_answer_is_one_write_and_the_connection_stays() -> None:
    connection = Connection(sized(b"hello"))
    connection.state.default_headers = [(b"date", b"today")]
    for _ in range(2):
        assert await connection.say(GET) == b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 5\r\n\r\nhello"
    assert len(connection.wire.writes) == 2
    assert not connection.wire.closed
    connection.state.default_headers = [(b"date", b"tomorrow")]
    assert b"date: tomorrow\r\n" in await connection.say(GET)
    assert connection.state.total_requests == 3
    assert not connection.state.tasks


async def test_the_scope() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await sized(b"")(scope, receive, send)

    connection = Connection(app)
    await connection.say(b"GET /a%20b/%C3%A4?x=1&y HTTP/1.1\r\nHost: h\r\nX-Thing:  V \r\n\r\n")
    await connection.say(b"GET http://h:1/p?q#f HTTP/1.1\r\n\r\n")
    assert seen[0]["path"] == "/a b/\u00e4"
    assert seen[0]["raw_path"] == b"/a%20b/%C3%A4"
    assert seen[0]["query_string"] == b"x=1&y"
    assert seen[0]["headers"][-1] == (b"x-thing", b"V")
    assert (seen[0]["client"], seen[0]["server"], seen[0]["scheme"]) == (("10.0.0.1", 5), ("10.0.0.2", 80), "http")
    assert (seen[1]["raw_path"], seen[1]["query_string"]) == (b"/p", b"q")


async def test_bodies_with_length_chunked_and_in_pieces() -> None:
    connection = Connection(echo)
    assert (await connection.say(b"PUT / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc", b"def")).endswith(b"\r\n\r\nabcdef")
    chunked = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n"
    assert (await connection.say(*chunked)).endswith(b"\r\n\r\nabcde")
    assert not connection.wire.closed


async def test_answers_to_pipelined_requests_come_in_order() -> None:
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/0":
            await gate.wait()
        await sized(scope["path"].encode() + await read(receive))(scope, receive, send)

    connection = Connection(app)
    together = b"".join(b"PUT /%d HTTP/1.1\r\nContent-Length: 1\r\n\r\n%d" % (n, n) for n in range(4))
    assert await connection.say(together) == b""
    assert not connection.wire.reading
    gate.set()
    await connection.settle()
    assert [part[-3:] for part in connection.wire.text.split(b"HTTP/1.1")[1:]] == [b"/00", b"/11", b"/22", b"/33"]
    assert connection.wire.reading


async def test_a_body_that_nobody_takes_stops_the_reading() -> None:
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        await echo(scope, receive, send)

    connection = Connection(app)
    piece = bytes(HIGH_WATER)
    await connection.say(b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (2 * HIGH_WATER), piece)
    assert connection.wire.reading
    await connection.say(piece[:-1])
    assert not connection.wire.reading
    gate.set()
    await connection.settle()
    assert connection.wire.reading
    assert (await connection.say(b"x")).endswith(b"x")


async def test_100_continue_is_said_when_the_body_is_wanted() -> None:
    connection = Connection(echo)
    head = b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n"
    assert await connection.say(head) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await connection.say(b"x")).endswith(b"x")
    refusing = Connection(sized(b"no"))
    assert (await refusing.say(head)).startswith(b"HTTP/1.1 200")


async def test_an_answer_without_length_is_chunked_or_ends_the_connection() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        for piece in (b"abc", b"", b"de"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    connection = Connection(app)
    head, _, body = (await connection.say(GET)).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert body == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert not connection.wire.closed
    head, _, body = (await connection.say(GET.replace(b"1.1", b"1.0"))).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"connection: close" in head
    assert body == b"abcde"
    assert connection.wire.closed


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body(status: int) -> None:
    connection = Connection(answer(b"", status=status))
    assert (await connection.say(GET)).count(b"\r\n") == 2
    assert not connection.wire.closed


async def test_head_gets_the_head_alone() -> None:
    connection = Connection(sized(b"hello"))
    assert await connection.say(GET.replace(b"GET", b"HEAD")) == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
    assert not connection.wire.closed


@pytest.mark.parametrize("asked", [b"", b"Connection: close\r\n"])
async def test_the_end_of_a_connection_is_announced(asked: bytes) -> None:
    headers = [] if asked else [(b"connection", b"close")]
    connection = Connection(answer(b"", (b"content-length", b"0"), *headers))
    assert (await connection.say(b"GET / HTTP/1.1\r\n" + asked + b"\r\n")).count(b"connection: close") == 1
    assert connection.wire.closed


async def test_a_large_body_is_not_copied_behind_its_head() -> None:
    connection = Connection(sized(bytes(ONE_WRITE + 1)))
    await connection.say(GET)
    assert [len(write) for write in connection.wire.writes][1:] == [ONE_WRITE + 1]


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"a\x00b", b"a\x7f"])
async def test_a_header_cannot_smuggle(value: bytes) -> None:
    connection = Connection(answer(b"", (b"x-name", value), (b"content-length", b"0")))
    written = await connection.say(GET)
    assert written.startswith(b"HTTP/1.1 500")
    assert b"set-cookie" not in written
    assert connection.wire.closed


@pytest.mark.parametrize("length", [b"1", b"3"])
async def test_a_body_of_another_length_than_announced(length: bytes) -> None:
    connection = Connection(answer(b"ab", (b"content-length", length)))
    assert b"200" not in await connection.say(GET)
    assert connection.wire.closed


async def test_an_application_that_fails_before_and_within_its_answer() -> None:
    started = False

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if started:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        raise LookupError("secret")

    connection = Connection(app)
    written = await connection.say(GET)
    assert written.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in written
    assert connection.wire.closed
    started = True
    connection = Connection(app)
    assert (await connection.say(GET)).endswith(b"abc")
    assert connection.wire.closed


async def test_an_application_that_does_not_answer_or_answers_twice() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        return

    async def twice(scope: Any, receive: Any, send: Any) -> None:
        await sized(b"a")(scope, receive, send)
        with pytest.raises(RuntimeError):
            await send({"type": "http.response.body", "body": b"b"})

    assert (await Connection(silent).say(GET)).startswith(b"HTTP/1.1 500")
    connection = Connection(twice)
    assert (await connection.say(GET)).endswith(b"\r\n\r\na")
    assert not connection.wire.closed


@pytest.mark.parametrize("data", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\x16\x03\x01"])
async def test_what_is_not_http_is_refused(data: bytes) -> None:
    connection = Connection(sized(b""))
    assert (await connection.say(data)).startswith(b"HTTP/1.1 400 ")
    assert connection.wire.closed


async def test_nonsense_behind_a_request_does_not_answer_in_its_place() -> None:
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()

    connection = Connection(app)
    assert await connection.say(GET + b"\x00\x00\r\n\r\n") == b""
    assert connection.wire.closed
    gate.set()
    await connection.settle()


PUT = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"


async def refuses_incomplete(scope: Any, receive: Any, send: Any) -> None:
    """As applications do: what has not come whole is not stored."""
    body = await read(receive)
    await answer(body, status=400 if body.endswith(b"|gone") else 200)(scope, receive, send)


@pytest.mark.parametrize(
    "request_and_more",
    [
        PUT + b"abc\xc3\xa9\xc3",
        PUT.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"3\r\nabc\r\nnonsense",
        PUT.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"nonsense",
    ],
    ids=["longer than it says", "a chunk that is none", "no chunk at all"],
)
async def test_a_body_with_nonsense_behind_it_never_looks_whole(request_and_more: bytes) -> None:
    connection = Connection(refuses_incomplete)
    written = await connection.say(request_and_more)
    assert written.startswith(b"HTTP/1.1 400 ")
    assert b"|gone" in written
    assert connection.wire.closed


async def test_nonsense_that_comes_after_the_answer_is_refused_alone() -> None:
    connection = Connection(refuses_incomplete)
    first = await connection.say(PUT + b"abc")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert (await connection.say(b"\xc3\xa9")).startswith(b"HTTP/1.1 400 ")
    assert connection.wire.closed


async def test_a_spoiled_body_is_answered_even_if_the_application_is_silent() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        assert (await read(receive)).endswith(b"|gone")

    connection = Connection(silent)
    assert (await connection.say(PUT + b"abc\xc3\xa9")).startswith(b"HTTP/1.1 400 ")
    assert connection.wire.closed


async def test_an_upgrade_that_nobody_knows_is_answered_as_usual() -> None:
    connection = Connection(sized(b"ok"))
    written = await connection.say(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert written.endswith(b"connection: close\r\n\r\nok")
    assert connection.wire.closed


async def test_a_peer_that_goes_away_is_noticed() -> None:
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await read(receive))
        await send({"type": "http.response.start", "status": 200})

    connection = Connection(app)
    assert await connection.say(b"PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc") == b""
    connection.protocol.connection_lost(None)
    await connection.settle()
    assert seen == [b"abc|gone"]
    assert not connection.wire.writes
    assert not connection.state.connections
    assert not connection.state.tasks


async def test_waiting_for_the_peer_to_go_ends_with_the_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        gone = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await sized(b"ok")(scope, receive, send)
        assert (await gone)["type"] == "http.disconnect"

    assert (await Connection(app).say(GET)).endswith(b"ok")


async def test_a_peer_that_does_not_read_holds_the_answer_up() -> None:
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"x", "more_body": number < 2})
            sent.append(number)

    connection = Connection(app)
    connection.protocol.pause_writing()
    await connection.say(GET)
    assert sent == []
    connection.protocol.resume_writing()
    await connection.settle()
    assert sent == [0, 1, 2]


async def test_the_end_of_the_server_waits_for_what_is_being_answered() -> None:
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        await sized(b"ok")(scope, receive, send)

    connection = Connection(app)
    await connection.say(GET)
    connection.protocol.shutdown()
    assert not connection.wire.closed
    gate.set()
    await connection.settle()
    assert b"connection: close" in connection.wire.text
    assert connection.wire.closed
    idle = Connection(app)
    idle.protocol.shutdown()
    assert idle.wire.closed


async def test_a_request_that_is_cancelled_closes_the_connection() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    connection = Connection(app)
    await connection.say(GET)
    for task in connection.state.tasks:
        task.cancel()
    await connection.settle()
    assert connection.wire.closed
    assert not connection.wire.writes


async def test_idle_connections_are_closed_and_busy_ones_are_not() -> None:
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await gate.wait()
        await sized(b"ok")(scope, receive, send)

    connection = Connection(app, keep_alive=5)
    protocol = connection.protocol
    await connection.say(GET)
    await connection.say(GET.replace(b"/a%20b", b"/slow"))
    protocol._expire()
    assert not connection.wire.closed
    gate.set()
    await connection.settle()
    protocol._expire()  # the last answer is not so long ago
    assert not connection.wire.closed
    assert protocol._timer is not None
    protocol._timer.cancel()
    protocol._idle_since -= 6
    protocol._expire()
    assert connection.wire.closed


LINES = [
    b"GET /a HTTP/1.1", b"GET /a?b=%20&c HTTP/1.1", b"GET /%41/b HTTP/1.1", b"HEAD /a HTTP/1.1", b"GET /a#b HTTP/1.1",
    b"GET http://h/a HTTP/1.1", b"GET /a HTTP/1.0", b"GET /\xc3\xa9 HTTP/1.1", b"DELETE /a HTTP/1.1",
]  # fmt: skip
HEADS = [
    b"Host: h", b"Host: h\r\nAccept: a", b"Host: h\r\nX: 1 HTTP/1.1", b"host: h", b"Host: h\r\nExpect: 100-continue",
    b"Host: h\r\nConnection: close", b"Host: h\r\nContent-Length: 0", b"Host: h\r\nContent-Length: 3",
]  # fmt: skip
ODD = [
    b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /a\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /a HTTP/1.1\nHost: h\n\n",
]


def told(seed: int) -> list[bytes]:
    """What a client sends on one connection: mostly the same headers, in pieces of its own choice."""
    random = Random(seed)
    usual, pieces = random.choice(HEADS[:4]), []
    for _ in range(random.randint(2, 12)):
        head = usual if random.random() < 0.8 else random.choice(HEADS)
        line = LINES[0] if random.random() < 0.4 else random.choice(LINES)
        raw = line + b"\r\n" + head + b"\r\n\r\n" + (b"abc" if head.endswith(b" 3") else b"")
        if random.random() < 0.05:
            raw = random.choice(ODD)
        if random.random() < 0.2:
            raw += GET
        cut = random.randrange(len(raw)) if random.random() < 0.2 else len(raw)
        pieces += [part for part in (raw[:cut], raw[cut:]) if part]
    return pieces


@pytest.mark.parametrize("seed", range(60))
async def test_headers_that_are_known_are_read_as_others_are(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def outcome() -> tuple[bytes, bool, list[Any]]:
        seen = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append((scope, await read(receive)))
            await sized(b"ok")(scope, receive, send)

        connection = Connection(app)
        for piece in told(seed):
            if not connection.wire.closed:
                await connection.say(piece)
        return connection.wire.text, connection.wire.closed, seen

    quick = await outcome()
    monkeypatch.setattr(HttpProtocol, "_learn", lambda self, data: None)
    assert quick == await outcome()


async def test_a_get_with_known_headers_needs_no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(sized(b"hello"))
    assert (await connection.say(GET)).endswith(b"hello")
    connection.protocol._parser = None
    assert (await connection.say(GET.replace(b"/a", b"/other"))).endswith(b"hello")


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(GET), id="body"),
        pytest.param(b"POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(GET), id="chunk"),
        pytest.param(b"POST /b HTTP/1.1\r\nHost: h\r\nX: ", id="head"),
    ],
)
async def test_what_belongs_to_a_request_is_not_taken_for_another(before: bytes) -> None:
    """Not even when that is answered already, and looks like the one before."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await sized(b"early")(scope, receive, send)

    connection = Connection(app)
    await connection.say(GET, before, GET)
    assert seen.count("/a b") == 1


async def test_a_body_that_looks_like_a_request_teaches_nothing() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["method"], [name for name, _ in scope["headers"]]))
        await read(receive)
        await sized(b"ok")(scope, receive, send)

    connection = Connection(app)
    await connection.say(b"POST /b HTTP/1.1\r\nHost: h\r\nX: 1\r\nContent-Length: %d\r\n\r\n" % len(GET), GET, GET)
    assert seen == [("POST", [b"host", b"x", b"content-length"]), ("GET", [b"host"])]
