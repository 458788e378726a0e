# SPDX-License-Identifier: Apache-2.0
"""An upload by a browser's form (multipart/form-data): short fields, then the file, which is streamed.

The file comes last: what a form has after it is read and dropped. Until the file begins, at most `MOST_FIELDS` bytes
are taken in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import parse_options_header

from lakehouse.core.errors import IncompleteBody
from lakehouse.s3.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.s3.request import S3Request

MOST_FIELDS = 20 * 1024
"""Bytes of a form before the file, the fields' own headers included."""
FILE = "file"
_KIND = "multipart/form-data"
_CHUNK = 256 * 1024


def is_form(request: S3Request) -> bool:
    """Whether a request is an upload by a form, which carries its signature inside."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return request.method == "POST" and request.key == "" and kind == _KIND


class Form:
    """`fields` by lower-case name, `filename` without folders, and `body`, the file: all there once `read` returned."""

    def __init__(self, request: S3Request) -> None:
        """Raises S3Error MalformedPOSTRequest."""
        _, options = parse_options_header(request.headers["content-type"])
        boundary = options.get(b"boundary")
        if not boundary:
            raise malformed_form("its Content-Type has no boundary")
        self.fields: dict[str, str] = {}
        self.filename = ""
        self._pieces = request.body
        self._held: list[bytes] = []
        self._size = self._taken = 0
        self._header = (b"", b"")
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._value = b""
        self._reached = self._inside = self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    async def read(self) -> None:
        """Read until the file begins. Raises S3Error MalformedPOSTRequest, MaxPostPreDataLengthExceeded."""
        while not self._reached:
            if not await self._feed():
                raise malformed_form("it has no file; the field's name must be `file`")

    async def body(self) -> AsyncIterator[bytes]:
        """The file. Raises IncompleteBody when the form ends before its last boundary."""
        more = True
        while more:
            if self._size >= _CHUNK:
                yield self._take()
            more = await self._feed()
        if self._size:
            yield self._take()

    def _take(self) -> bytes:
        chunk = b"".join(self._held)
        self._held, self._size = [], 0
        return chunk

    async def _feed(self) -> bool:
        piece = await anext(self._pieces, None)
        if piece is None:
            if not self._complete:
                raise IncompleteBody("the form ended before its last boundary; nothing was stored")
            return False
        try:
            self._parser.write(piece)
        except (MultipartParseError, FormParserError) as error:
            raise malformed_form(str(error)) from error
        return True

    def _count(self, size: int) -> None:
        if not self._reached:
            self._taken += size
            if self._taken > MOST_FIELDS:
                raise S3Error("MaxPostPreDataLengthExceeded", f"fields before the file: at most {MOST_FIELDS} bytes")

    # -- what the parser tells -------------------------------------------------------------------------------------

    def _on_part(self) -> None:
        self._headers, self._name, self._value = {}, "", b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _on_header(self) -> None:
        name, value = self._header
        self._headers[name.lower()] = value
        self._header = (b"", b"")

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace").lower()
        if self._name == FILE and not self._reached:
            self._reached = self._inside = True
            told = options.get(b"filename", b"").decode("utf-8", "replace")
            self.filename = told.replace("\\", "/").rpartition("/")[2]

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._held.append(data[start:end])
            self._size += end - start
        elif not self._reached:
            self._count(end - start)
            self._value += data[start:end]

    def _on_part_end(self) -> None:
        if not self._reached:
            if self._name in self.fields:
                raise malformed_form(f"the field {self._name} is there twice")
            self.fields[self._name] = self._value.decode("utf-8", "replace")
        self._inside = False

    def _on_end(self) -> None:
        self._complete = True


def malformed_form(why: str) -> S3Error:
    return S3Error("MalformedPOSTRequest", f"the body is no well-formed upload form: {why}; nothing was stored")
