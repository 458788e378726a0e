# SPDX-License-Identifier: Apache-2.0
"""One file of a form (multipart/form-data), streamed as it comes: nothing is spooled, what follows it is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import parse_options_header

from lakehouse.asgi.call import STREAM_CHUNK
from lakehouse.core.errors import IncompleteBody

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class MalformedForm(Exception):
    """The body is no well-formed form; the message says why."""


class FieldsTooLarge(Exception):
    """There is more before the file than the caller holds."""


class FormFile:
    """The first part of a form with a given name, and the text fields before it.

    `fields` by lower-case name, `filename` without folders and `content_type` of the file: all there once `begin`
    returned. Every method raises MalformedForm, and IncompleteBody for a form that ends before its last boundary.
    """

    def __init__(
        self, pieces: AsyncIterator[bytes], boundary: bytes | None, *, name: bytes, most_fields: int | None = None
    ) -> None:
        """`boundary` is the one of the Content-Type. At most `most_fields` bytes of fields are held, their headers
        included; None: what comes before the file is dropped.
        """
        if not boundary:
            raise MalformedForm("no boundary in Content-Type")
        self.fields: dict[str, str] = {}
        self.filename = ""
        self.content_type = b""
        self._pieces = pieces
        self._wanted = name
        self._most_fields = most_fields
        self._held: list[bytes] = []
        self._size = self._taken = 0
        self._header_name = self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._field = b""
        self._value = b""
        self._reached = self._inside = self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part,
                "on_header_field": self._on_header_name,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    async def begin(self) -> bool:
        """Read until the file begins; False when there is none. Raises FieldsTooLarge."""
        while not self._reached:
            if not await self._feed():
                return False
        return True

    async def body(self) -> AsyncIterator[bytes]:
        """The file, in chunks of at least `STREAM_CHUNK` bytes but for the last."""
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
        """Parse the next piece; False at the end."""
        piece = await anext(self._pieces, None)
        if piece is None:
            if not self._complete:
                raise IncompleteBody("the form ended before its last boundary; nothing was stored")
            return False
        try:
            self._parser.write(piece)
        except (MultipartParseError, FormParserError) as error:
            raise MalformedForm(str(error)) from error
        return True

    def _count(self, size: int) -> None:
        if self._most_fields is not None and not self._reached:
            self._taken += size
            if self._taken > self._most_fields:
                raise FieldsTooLarge

    # -- what the parser tells -------------------------------------------------------------------------------------

    def _on_part(self) -> None:
        self._headers, self._field, self._value = {}, b"", b""

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header_value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._field = options.get(b"name", b"")
        if self._field == self._wanted and not self._reached:
            self._reached = self._inside = True
            self.content_type = self._headers.get(b"content-type", b"")
            told = options.get(b"filename", b"").decode("utf-8", "replace")
            self.filename = told.replace("\\", "/").rpartition("/")[2]

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._held.append(data[start:end])
            self._size += end - start
        elif not self._reached and self._most_fields is not None:
            self._count(end - start)
            self._value += data[start:end]

    def _on_part_end(self) -> None:
        if not self._reached and self._most_fields is not None:
            name = self._field.decode("utf-8", "replace").lower()
            if name in self.fields:
                raise MalformedForm(f"the field {name} is there twice")
            self.fields[name] = self._value.decode("utf-8", "replace")
        self._inside = False

    def _on_end(self) -> None:
        self._complete = True
