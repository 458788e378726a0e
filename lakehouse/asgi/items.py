# SPDX-License-Identifier: Apache-2.0
"""Long bodies of many items, NDJSON or a JSON array, decoded in pages as they come in.

Invariant: neither the body nor its items are ever all in memory, and no decoding step is longer than a page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from lakehouse.core.errors import BodyTooLarge, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from lakehouse.asgi.call import Call

T = TypeVar("T")

PAGE = 1000
MAX_ITEM = 64 * 1024
"""Most bytes of one item."""

_TOKEN = re.compile(rb'(?P<open>")[^"\\]*(?:\\.[^"\\]*)*(?P<close>"?)|[{}\[\]]', re.DOTALL)
_BLANK = b" \t\r\n"
_DEPTH = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}


class ItemReader(Generic[T]):
    """Decodes items of one type; made once."""

    def __init__(self, item: type[T]) -> None:
        self._decode = msgspec.json.Decoder(item).decode
        self._decode_lines = msgspec.json.Decoder(item).decode_lines
        self._decode_list = msgspec.json.Decoder(list[item]).decode  # type: ignore[valid-type]

    async def pages(self, call: Call[Any, Any]) -> AsyncIterator[list[T]]:
        """The items of a body, at most `PAGE` at a time, in order. The first byte tells the form.

        Raises InvalidArgument naming the item (counted from 0), BodyTooLarge for an item above `MAX_ITEM` bytes,
        IncompleteBody. Items before the wrong one may have been handed out already.
        """
        cutter: _Lines | _Array | None = None
        at = 0
        async for chunk in call.stream():
            if cutter is None:
                start = chunk.lstrip(_BLANK)
                if not start:
                    continue
                cutter = _Array() if start.startswith(b"[") else _Lines()
            for page in cutter.feed(chunk):
                yield self._decoded(page, at, cutter)
                at += len(page)
        for page in cutter.finish() if cutter else ():
            yield self._decoded(page, at, cutter)
            at += len(page)

    def _decoded(self, page: list[bytes], at: int, cutter: object) -> list[T]:
        try:
            if isinstance(cutter, _Array):
                return self._decode_list(b"[" + b",".join(page) + b"]")
            return self._decode_lines(b"\n".join(page))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return [self._one(raw, at + number) for number, raw in enumerate(page)]

    def _one(self, raw: bytes, number: int) -> T:
        try:
            return self._decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidArgument(f"item {number}: {error}: invalid value: validation error") from error


class _Lines:
    """Cuts NDJSON into lines; empty ones are skipped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[list[bytes]]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        _limit(self._rest)
        yield from _paged(lines)

    def finish(self) -> Iterator[list[bytes]]:
        yield from _paged([self._rest])


class _Array:
    """Cuts a JSON array into the texts of its items, which must be objects.

    What is left of a chunk after the last whole item is scanned again with the next one.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._begun = self._ended = self._any = False

    def feed(self, chunk: bytes) -> Iterator[list[bytes]]:
        data = self._rest + chunk
        items: list[bytes] = []
        depth = start = done = 0
        if not self._begun:
            done = data.index(b"[") + 1
            self._begun = True
        for token in () if self._ended else _TOKEN.finditer(data, done):
            if token["open"] is not None:
                if not token["close"]:
                    break
                continue
            if depth == 0:
                start = token.start()
                self._between(data[done:start].strip(_BLANK), token.group())
                if self._ended:
                    done = token.end()
                    break
            depth += _DEPTH[token.group()]
            if depth == 0:
                done = token.end()
                items.append(data[start:done])
                self._any = True
        self._rest = data[done:]
        if self._ended and self._rest.strip(_BLANK):
            raise InvalidArgument("request body: more after the end of the array: invalid value: validation error")
        _limit(self._rest)
        yield from _paged(items)

    def _between(self, gap: bytes, token: bytes) -> None:
        """Judge what stands between two items, and the bracket that follows."""
        self._ended = token == b"]"
        expected = b"," if self._any and not self._ended else b""
        if gap != expected or token not in {b"{", b"]"}:
            raise InvalidArgument("request body: not a JSON array of objects: invalid value: validation error")

    def finish(self) -> Iterator[list[bytes]]:
        if not self._ended:
            raise InvalidArgument("request body: the JSON array does not end: invalid value: validation error")
        yield from ()


def _paged(items: list[bytes]) -> Iterator[list[bytes]]:
    items = [item for item in items if item.strip(_BLANK)]
    _limit(max(items, key=len, default=b""))
    for at in range(0, len(items), PAGE):
        yield items[at : at + PAGE]


def _limit(item: bytes) -> None:
    if len(item) > MAX_ITEM:
        raise BodyTooLarge(f"request body: an item larger than {MAX_ITEM} bytes: invalid value: validation error")
