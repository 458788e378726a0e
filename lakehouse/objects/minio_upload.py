# SPDX-License-Identifier: Apache-2.0
"""Uploading a long or endless body in parts: one part is sent while the next one is gathered."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from defusedxml.ElementTree import fromstring

from lakehouse.core.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from urllib3.response import BaseHTTPResponse

    from lakehouse.objects.body import Pieces
    from lakehouse.objects.port import Location

    Request = Callable[..., Awaitable[BaseHTTPResponse]]


class PartUpload:
    """One upload. `request` sends one request of the object; `condition` are headers for the completion."""

    def __init__(
        self, request: Request, location: Location, *, headers: Mapping[str, str], condition: Mapping[str, str]
    ) -> None:
        self._request = request
        self._location = location
        self._headers = headers
        self._condition = condition
        self.etags: list[str] = []
        """Of the parts that were sent."""
        self._size = 0

    async def run(self, first: bytes, pieces: Pieces) -> tuple[str, int]:
        """Upload `first` and all further pieces; ETag and size of the whole. On any error the upload is given up."""
        answer = await self._call("POST", {"uploads": ""}, headers=dict(self._headers))
        upload = _text(answer, "UploadId")
        try:
            await self._send(upload, first, pieces)
            return await self._complete(upload), self._size
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self._abort(upload)))
            raise

    async def _send(self, upload: str, first: bytes, pieces: Pieces) -> None:
        piece = first
        number = 1
        while piece:
            self._size += len(piece)
            sending = asyncio.ensure_future(self._part(upload, number, piece))
            try:
                piece = b"" if pieces.ended else await pieces.next()
            finally:
                await asyncio.wait([sending])
            self.etags.append(sending.result())
            number += 1

    async def _part(self, upload: str, number: int, data: bytes) -> str:
        answer = await self._call("PUT", {"partNumber": str(number), "uploadId": upload}, body=data)
        return str(answer.headers.get("etag", "")).strip('"')

    async def _complete(self, upload: str) -> str:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag></Part>"
            for number, etag in enumerate(self.etags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        headers = {"Content-Type": "application/xml", **self._condition}
        answer = await self._call("POST", {"uploadId": upload}, body=body, headers=headers)
        return _text(answer, "ETag").strip('"')

    async def _abort(self, upload: str) -> None:
        with suppress(Exception):  # the first error is the one to tell; stores drop old uploads themselves
            await self._call("DELETE", {"uploadId": upload})

    async def _call(self, method: str, query: Mapping[str, str], **options: Any) -> BaseHTTPResponse:
        return await self._request(method, self._location, query_params=dict(query), **options)


def whole_etag(etags: list[str]) -> str:
    """The ETag that S3 gives an object of these parts; a single one was sent as a whole."""
    if len(etags) == 1:
        return etags[0]
    joined = b"".join(bytes.fromhex(etag) for etag in etags)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(etags)}"


def _text(answer: BaseHTTPResponse, name: str) -> str:
    """The text of the first element of this name. Raises StorageUnavailable: an error can come with status 200."""
    for element in fromstring(answer.data).iter():
        if element.tag.rpartition("}")[2] == name:
            return element.text or ""
    raise StorageUnavailable(f"the object store did not finish an upload: {answer.data[:200]!r}")
