# SPDX-License-Identifier: Apache-2.0
"""Many items as MessagePack: one after another, or as one array, cut apart as the bytes come in.

`msgpack.Unpacker` finds where each item ends without making anything of it (0.1 us an item), and what is cut is decoded
and validated by the pageful as the type that it must be.

Invariant: what is held is never more than a chunk and one item, and an item that is not whole is never handed out.
"""

from __future__ import annotations

from operator import sub
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import msgpack
import msgspec

from lakehouse.core.errors import BodyTooLarge, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

MSGPACK = "application/msgpack"
PAGE = 1000
"""Most items that are decoded together."""
MAX_ITEM = 64 * 1024
"""Most bytes of one item."""

_NAMES = frozenset({MSGPACK, "application/x-msgpack", "application/vnd.msgpack"})
_SLICE = 64 * 1024
_ARRAYS = frozenset((*range(0x90, 0xA0), 0xDC, 0xDD))
"""First bytes of an array."""
_INVALID = "invalid value: validation error"
_TOO_LARGE = f"request body: an item larger than {MAX_ITEM} bytes: {_INVALID}"


def is_packed(content_type: str | None) -> bool:
    """Whether a media type, with or without parameters, is MessagePack."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() in _NAMES


def wants_packed(accept: str | None) -> bool:
    """Whether an Accept header names MessagePack. Nothing is weighed: who names it can read it."""
    return accept is not None and any(map(is_packed, accept.split(",")))


class Piece(NamedTuple):
    """The bytes of at most `PAGE` items, and where in them each of the items ends."""

    raw: bytes
    ends: list[int]

    def items(self) -> list[bytes]:
        """The items apart."""
        return [self.raw[begin:end] for begin, end in zip([0, *self.ends], self.ends, strict=False)]


class PackedItems(Generic[T]):
    """Decodes items of one type; made once."""

    def __init__(self, item: type[T]) -> None:
        self._decode = msgspec.msgpack.Decoder(item).decode
        self._decode_list = msgspec.msgpack.Decoder(list[item]).decode  # type: ignore[valid-type]

    def page(self, piece: Piece, *, at: int) -> list[T]:
        """The items; the first of them is number `at`. Raises InvalidArgument, naming the item."""
        try:
            return self._decode_list(b"\xdc" + len(piece.ends).to_bytes(2, "big") + piece.raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return [self._one(raw, at + number) for number, raw in enumerate(piece.items())]

    def _one(self, raw: bytes, number: int) -> T:
        try:
            return self._decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidArgument(f"item {number}: {error}: {_INVALID}") from error

    def all(self, chunks: Iterable[bytes]) -> list[T]:
        """The items of a whole stream. Raises InvalidArgument, BodyTooLarge."""
        cutter, found = Cutter(), list[T]()
        for chunk in chunks:
            for page in cutter.feed(chunk):
                found += self.page(page, at=len(found))
        cutter.finish()
        return found


class Cutter:
    """Cuts a stream into pieces of whole items. Raises InvalidArgument for what is not MessagePack."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(max_buffer_size=MAX_ITEM + 2 * _SLICE)
        self._rest = b""
        self._done = self._fed = 0
        self._begun = False
        self._left: int | None = None
        """Items that an array must still have; None: there is no array."""

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """The items that have become whole. Raises BodyTooLarge for one far above `MAX_ITEM` bytes."""
        data, start = self._rest + chunk, self._done
        ends: list[int] = []
        for at in range(0, len(chunk), _SLICE):
            piece = chunk[at : at + _SLICE]
            self._unpacker.feed(piece)
            self._fed += len(piece)
            if self._begun or self._begin(data[0]):
                self._advance(ends)
            if self._fed - (ends[-1] if ends else self._done) > MAX_ITEM:
                raise BodyTooLarge(_TOO_LARGE)
        if max(map(sub, ends, [self._done, *ends]), default=0) > MAX_ITEM:
            raise BodyTooLarge(_TOO_LARGE)
        begin = self._done
        self._done = ends[-1] if ends else begin
        self._rest = data[self._done - start :]
        for at in range(0, len(ends), PAGE):
            page = ends[at : at + PAGE]
            yield Piece(data[begin - start : page[-1] - start], [end - begin for end in page])
            begin = page[-1]

    def _begin(self, first: int) -> bool:
        """Take the header of an array, if there is one; False when it has not come whole."""
        if first in _ARRAYS:
            try:
                self._left = self._unpacker.read_array_header()
            except msgpack.OutOfData:
                return False
            self._done = self._unpacker.tell()
        self._begun = True
        return True

    def _advance(self, ends: list[int]) -> None:
        unpacker, before = self._unpacker, len(ends)
        most = self._fed if self._left is None else self._left
        try:
            while len(ends) - before < most:
                unpacker.skip()
                ends.append(unpacker.tell())
        except msgpack.OutOfData:
            pass
        except ValueError as error:  # a byte that begins nothing, or arrays in arrays in arrays
            raise InvalidArgument(f"request body: not MessagePack: {error!r}: {_INVALID}") from error
        if self._left is not None:
            self._left -= len(ends) - before
            if not self._left and self._fed > (ends[-1] if ends else self._done):
                raise InvalidArgument(f"request body: more after the end of the array: {_INVALID}")

    def finish(self) -> None:
        """The stream has ended. Raises InvalidArgument when it may not end there."""
        if self._left:
            raise InvalidArgument(f"request body: the array lacks {self._left} items: {_INVALID}")
        if self._rest:
            raise InvalidArgument(f"request body: it ends within an item: {_INVALID}")
