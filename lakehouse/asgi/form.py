# SPDX-License-Identifier: Apache-2.0
"""The bytes of an upload, raw or from a form (multipart/form-data), streamed: nothing is spooled.

Of a form, the first part named `content` is the object; what else it holds is read and dropped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator  # msgspec reads the annotation
from typing import TYPE_CHECKING, Any

import msgspec
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import parse_options_header

from lakehouse.asgi.call import STREAM_CHUNK, header_text
from lakehouse.asgi.streaming import DEFAULT_TYPE
from lakehouse.core.errors import BodyTooLarge, IncompleteBody, InvalidArgument

if TYPE_CHECKING:
    from lakehouse.asgi.call import Call

PART = b"content"


class Upload(msgspec.Struct):
    """An object as it comes in. `size` in bytes when it is known beforehand. `body` raises IncompleteBody, and
    InvalidArgument when a form goes wrong half-way.
    """

    content_type: str
    body: AsyncIterator[bytes]
    size: int | None


async def read_upload(call: Call[Any, Any], *, limit: int | None = None) -> Upload:
    """Begin to read an upload of at most `limit` bytes.

    Raises InvalidArgument for a form that is malformed or has no part `content`, BodyTooLarge for an announced length
    above the limit; for one that was not announced, the body raises it.
    """
    declared = call.header(b"content-type") or ""
    kind, options = parse_options_header(declared)
    if kind != b"multipart/form-data":
        if limit is not None and (call.content_length or 0) > limit:
            raise _too_large(limit)
        return Upload(declared or DEFAULT_TYPE, limited(call.stream(), limit), call.content_length)
    boundary = options.get(b"boundary")
    if not boundary:
        raise InvalidArgument("multipart upload: no boundary in Content-Type: invalid value: validation error")
    form = _Form(call, boundary)
    await form.find()
    return Upload(form.content_type or DEFAULT_TYPE, limited(form.body(), limit), None)


async def limited(body: AsyncIterator[bytes], limit: int | None) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in body:
        size += len(chunk)
        if limit is not None and size > limit:
            raise _too_large(limit)
        yield chunk


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"object: larger than {limit} bytes: invalid value: validation error")


class _Form:
    """Feeds the parser and keeps what it says of the wanted part."""

    def __init__(self, call: Call[Any, Any], boundary: bytes) -> None:
        self.content_type = ""
        self._pieces = call.messages()
        self._held: list[bytes] = []
        self._size = 0
        self._name = b""
        self._value = b""
        self._part: dict[bytes, bytes] = {}
        self._inside = self._found = False
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
        )

    async def find(self) -> None:
        while not self._found:
            if not await self._feed():
                raise InvalidArgument(
                    "multipart upload missing key 'content': invalid value: validation error "
                    "(send the object as a part of that name)"
                )

    async def body(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            if self._size >= STREAM_CHUNK:
                yield self._take()
            more = await self._feed()
        if self._size:
            yield self._take()

    def _take(self) -> bytes:
        chunk = b"".join(self._held)
        self._held, self._size = [], 0
        return chunk

    async def _feed(self) -> bool:
        """Parse the next piece; False at the end. Raises IncompleteBody when that is not the end of the form."""
        piece = await anext(self._pieces, None)
        if piece is None:
            if not self._complete:
                raise IncompleteBody("multipart upload: the form ended before its last boundary; nothing was stored")
            return False
        try:
            self._parser.write(piece)
        except (MultipartParseError, FormParserError) as error:
            raise InvalidArgument(f"multipart upload: {error}: invalid value: validation error") from error
        return True

    def _begin(self) -> None:
        self._part = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._part[self._name.lower()] = self._value
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._part.get(b"content-disposition", b""))
        if not self._found and options.get(b"name") == PART:
            self._found = self._inside = True
            self.content_type = header_text(self._part.get(b"content-type", b""))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._held.append(data[start:end])
            self._size += end - start

    def _part_end(self) -> None:
        self._inside = False

    def _end(self) -> None:
        self._complete = True
