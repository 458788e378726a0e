# SPDX-License-Identifier: Apache-2.0
"""Long bodies of many items, NDJSON, a JSON array or MessagePack, decoded in pages as they come in.

Invariant: neither the body nor its items are ever all in memory, and no decoding step is longer than a page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from lakehouse.core.errors import BodyTooLarge, InvalidArgument
from lakehouse.wire.packed import MAX_ITEM, PAGE, Cutter, PackedItems, is_packed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from lakehouse.asgi.call import Call

T = TypeVar("T")

_TOKEN = re.compile(rb'(?P<open>")[^"\\]*(?:\\.[^"\\]*)*(?P<close>"?)|[{}\[\]]', re.DOTALL)
_BLANK = b" \t\r\n"
_GAP = 64
"""Most bytes between two items of an array that is cut by guessing."""
_TRIES = 8
_DEPTH = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}


class ItemReader(Generic[T]):
    """Decodes items of one type; made once."""

    def __init__(self, item: type[T]) -> None:
        self._packed = PackedItems(item)
        self._decode = msgspec.json.Decoder(item).decode
        self._decode_lines = msgspec.json.Decoder(item).decode_lines
        self._decode_list = msgspec.json.Decoder(list[item]).decode  # type: ignore[valid-type]

    async def pages(self, call: Call[Any, Any]) -> AsyncIterator[list[T]]:
        """The items of a body, at most `PAGE` at a time, in order. Its type tells MessagePack, the first byte an array.

        Raises InvalidArgument naming the item (counted from 0), BodyTooLarge for an item that is far
        above `MAX_ITEM` bytes, IncompleteBody. Items before the wrong one may have been handed out already.
        """
        if is_packed(call.header(b"content-type")):
            async for items in self._unpacked(call):
                yield items
            return
        cutter: _Lines | _Array | None = None
        at = 0
        async for chunk in call.stream():
            if cutter is None:
                first = chunk.lstrip(_BLANK)[:1]
                if not first:
                    continue
                cutter = _Array() if first == b"[" else _Lines()
            quick = self._quick(cutter, chunk) if isinstance(cutter, _Array) else None
            if quick is not None:
                for start in range(0, len(quick), PAGE):
                    yield quick[start : start + PAGE]
                at += len(quick)
                continue
            for page in cutter.feed(chunk):
                yield self._decoded(page, at, cutter)
                at += len(page)
        for page in cutter.finish() if cutter else ():
            yield self._decoded(page, at, cutter)
            at += len(page)

    async def _unpacked(self, call: Call[Any, Any]) -> AsyncIterator[list[T]]:
        cutter = Cutter()
        at = 0
        async for chunk in call.stream():
            for page in cutter.feed(chunk):
                yield self._packed.page(page, at=at)
                at += len(page.ends)
        cutter.finish()

    def _quick(self, cutter: _Array, chunk: bytes) -> list[T] | None:
        """All whole items of an array so far, if the place to cut can be guessed; a wrong guess cannot be decoded."""
        guess = cutter.guess(chunk)
        if guess is None:
            return None
        text, rest = guess
        try:
            items = self._decode_list(b"[" + text + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        cutter.go_on(rest)
        return items

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

    def guess(self, chunk: bytes) -> tuple[bytes, bytes] | None:
        """The text of the items up to the last place that looks like the end of one, and what follows it."""
        data = self._rest + chunk
        start = 0 if self._begun else data.index(b"[") + 1
        if self._any:
            head = data[:_GAP].lstrip(_BLANK)
            if not head.startswith(b","):
                return None
            start = min(len(data), _GAP) - len(head) + 1
        cut = None if self._ended else _last_end(data, start)
        return None if cut is None else (data[start:cut], data[cut:])

    def go_on(self, rest: bytes) -> None:
        """The guess was right."""
        self._rest = rest
        self._begun = self._any = True

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
        yield from self.feed(b"")
        if not self._ended:
            raise InvalidArgument("request body: the JSON array does not end: invalid value: validation error")


def _last_end(data: bytes, start: int) -> int | None:
    """Where the last `}` is that a comma and a `{` follow; None when it is not near the end of `data`."""
    brace = len(data)
    for _ in range(_TRIES):
        brace = data.rfind(b"{", start, brace)
        if brace < 0:
            return None
        before = data[max(start, brace - _GAP) : brace].rstrip(_BLANK)
        if before.endswith(b","):
            closed = before[:-1].rstrip(_BLANK)
            if closed.endswith(b"}"):
                return max(start, brace - _GAP) + len(closed)
    return None


def _paged(items: list[bytes]) -> Iterator[list[bytes]]:
    items = [item for item in items if item.strip(_BLANK)]
    _limit(max(items, key=len, default=b""))
    for at in range(0, len(items), PAGE):
        yield items[at : at + PAGE]


def _limit(item: bytes) -> None:
    if len(item) > MAX_ITEM:
        raise BodyTooLarge(f"request body: an item larger than {MAX_ITEM} bytes: invalid value: validation error")
