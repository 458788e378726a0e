# SPDX-License-Identifier: Apache-2.0
"""One request as a handler sees it: validated, its caller known.

Invariant: a body that ended early never looks complete; `stream` raises IncompleteBody instead of ending.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lakehouse.core.errors import BodyTooLarge, IncompleteBody, InvalidArgument, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from lakehouse.asgi.origin import Origin
    from lakehouse.asgi.types import Headers, Message, Receive, Scope
    from lakehouse.core.records import Actor, User
    from lakehouse.wire.operation import Operation

Q = TypeVar("Q")
B = TypeVar("B")

INSIDE = "lakehouse.inside"
"""The member of a scope that tells in whose name the server asks itself."""
STREAM_CHUNK = 256 * 1024
"""Least size of the chunks of a body, but for the last one."""


class Call(Generic[Q, B]):
    """A request to an operation.

    `path` holds the path parameters by their names on the wire; `query` and `body` are what the operation declares
    (`body` is None when it was optional and absent, or is raw); `user` is None only where the operation asks nobody.
    `content_length` in bytes, None when the body is chunked.
    """

    __slots__ = (
        "_origin",
        "_receive",
        "body",
        "content_length",
        "operation",
        "path",
        "query",
        "request_id",
        "scope",
        "user",
    )

    def __init__(
        self,
        operation: Operation,
        path: dict[str, str],
        scope: Scope,
        receive: Receive,
        origin: Origin,
        request_id: str,
    ) -> None:
        self.operation = operation
        self.path = path
        self.scope = scope
        self.request_id = request_id
        self.user: User | None = None
        self.query: Q = None  # type: ignore[assignment]
        self.body: B = None  # type: ignore[assignment]
        self.content_length = _content_length(scope["headers"])
        self._receive = receive
        self._origin = origin

    @property
    def headers(self) -> Headers:
        """All headers, names in lower case."""
        headers: Headers = self.scope["headers"]
        return headers

    def header(self, name: bytes) -> str | None:
        """The first header `name` (in lower case), or None. Bytes that are not UTF-8 are taken as Latin-1."""
        for key, value in self.scope["headers"]:
            if key == name:
                return header_text(value)
        return None

    @property
    def header_view(self) -> HeaderView:
        """The headers as a mapping of text, read where they are."""
        return HeaderView(self.scope["headers"])

    @property
    def endpoint(self) -> str:
        """`scheme://host[:port]` by which the caller knows the server. Raises InvalidArgument."""
        return self._origin.endpoint(self.scope)

    @property
    def peer(self) -> str:
        """The caller's network address, "" when there is none."""
        return self._origin.peer(self.scope)

    @property
    def inside(self) -> Actor | None:
        """Who asks, when it is the server itself, for a hook; no request from outside can say so."""
        found: Actor | None = self.scope.get(INSIDE)
        return found

    @property
    def known_user(self) -> User:
        """`user`, where there must be one. Raises Unauthenticated."""
        if self.user is None:
            raise Unauthenticated
        return self.user

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises BodyTooLarge above `limit` bytes (unread if announced), IncompleteBody."""
        announced = self.content_length
        if announced == 0:
            return b""
        if announced is not None and announced > limit:
            raise BodyTooLarge(_too_large(limit))
        message = await self._receive()
        if not message.get("more_body", False) and len(message.get("body", b"")) == announced:
            return message["body"]  # type: ignore[no-any-return]
        pieces, size = [], 0
        async for piece in self._pieces(message):
            size += len(piece)
            if size > limit:
                raise BodyTooLarge(_too_large(limit))
            pieces.append(piece)
        return b"".join(pieces)

    async def messages(self) -> AsyncIterator[bytes]:
        """The body as it comes, in pieces of any size. Raises IncompleteBody."""
        async for piece in self._pieces(await self._receive()):
            yield piece

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in chunks of at least `STREAM_CHUNK` bytes, but for the last. Raises IncompleteBody."""
        held: list[bytes] = []
        size = 0
        async for piece in self.messages():
            held.append(piece)
            size += len(piece)
            if size >= STREAM_CHUNK:
                yield held[0] if len(held) == 1 else b"".join(held)
                held, size = [], 0
        if held:
            yield b"".join(held)

    async def _pieces(self, message: Message) -> AsyncIterator[bytes]:
        total = 0
        while message["type"] != "http.disconnect":
            piece: bytes = message.get("body", b"")
            total += len(piece)
            if piece:
                yield piece
            if not message.get("more_body", False):
                if self.content_length is not None and total != self.content_length:
                    raise IncompleteBody
                return
            message = await self._receive()
        raise IncompleteBody


class HeaderView(Mapping[str, str]):
    """Headers by lower-case name; of one that is repeated, the first."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        value: str | None = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """As of any mapping; what is not there, which is the rule, costs no exception."""
        wanted = name.encode("latin-1")
        for key, value in self._headers:
            if key == wanted:
                return header_text(value)
        return default

    def __contains__(self, name: object) -> bool:
        return self.get(str(name)) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key.decode("latin-1") for key, _ in self._headers))

    def __len__(self) -> int:
        return len({key for key, _ in self._headers})


def header_text(value: bytes) -> str:
    """A header's value as text."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _too_large(limit: int) -> str:
    return f"request body: larger than {limit} bytes: invalid value: validation error"


def _content_length(headers: Headers) -> int | None:
    """0 when the request has no body at all."""
    chunked = False
    for key, value in headers:
        if key == b"content-length":
            if not value.isdigit():
                raise InvalidArgument("header Content-Length: not a number: invalid value: validation error")
            return int(value)
        chunked = chunked or key == b"transfer-encoding"
    return None if chunked else 0
