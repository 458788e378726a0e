# SPDX-License-Identifier: Apache-2.0
"""Bodies in S3's own chunked encoding (`aws-chunked`), with signed chunks, trailing checksums, or both.

Bytes are passed on while they come; a chunk's signature and the trailing checksum are checked when the bytes have
passed. The stream ends with an error instead of its end when anything is wrong, and a store keeps nothing of a body
that fails. Source: "Signature calculations ... transferring payload in multiple chunks" of the Amazon S3 API Reference.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.sigv4 import Scope, signature
from lakehouse.s3.checksums import encoded, new_checksum
from lakehouse.s3.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
FORMS = frozenset({SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER})

_LONGEST_LINE = 4096
_MOST_TRAILERS = 16
_EMPTY = hashlib.sha256().hexdigest()


class ChunkSigner(msgspec.Struct):
    """The chain of chunk signatures: each covers the one before it, the first one that of the headers."""

    key: bytes
    stamp: str
    scope: Scope
    previous: str

    def check_chunk(self, digest: str, claimed: str) -> None:
        """Check the signature of a chunk whose bytes have this SHA-256. Raises S3Error."""
        self._check(
            f"AWS4-HMAC-SHA256-PAYLOAD\n{self.stamp}\n{self.scope}\n{self.previous}\n{_EMPTY}\n{digest}", claimed
        )

    def check_trailer(self, lines: bytes, claimed: str) -> None:
        """Check the signature of the trailer, `name:value` lines that each end in a newline. Raises S3Error."""
        digest = hashlib.sha256(lines).hexdigest()
        self._check(f"AWS4-HMAC-SHA256-TRAILER\n{self.stamp}\n{self.scope}\n{self.previous}\n{digest}", claimed)

    def _check(self, text: str, claimed: str) -> None:
        made = signature(self.key, text)
        if not hmac.compare_digest(made.encode(), claimed.encode()):
            raise S3Error("SignatureDoesNotMatch", "the signature of a chunk of the body is wrong; nothing was stored")
        self.previous = made


async def decode_chunked(
    body: AsyncIterator[bytes], *, signer: ChunkSigner | None, trailer: str | None
) -> AsyncIterator[bytes]:
    """The bytes inside a chunked body. `trailer` is the header `x-amz-trailer`: the checksum that comes at the end.

    Raises S3Error: SignatureDoesNotMatch, BadDigest, IncompleteBody, InvalidRequest.
    """
    name = trailer.strip().lower() if trailer else ""
    checksum = new_checksum(name.removeprefix("x-amz-checksum-")) if name else None
    if name and checksum is None:
        raise S3Error("InvalidRequest", f"x-amz-trailer names no checksum that is known here: {name}")
    source = _Source(body)
    size = -1
    while size:
        size, claimed = _chunk_header(await source.line())
        digest = hashlib.sha256() if signer else None
        left = size
        while left:
            piece = await source.take(left)
            left -= len(piece)
            if digest:
                digest.update(piece)
            if checksum:
                checksum.update(piece)
            yield piece
        if signer and digest:
            signer.check_chunk(digest.hexdigest(), claimed)
        if size and await source.line():
            raise _broken()
    trailers = await _read_trailers(source, signer if name else None)
    if checksum is not None:
        _check_trailer(name, trailers, encoded(checksum))


def _check_trailer(name: str, trailers: dict[str, str], made: str) -> None:
    if name not in trailers:
        raise S3Error("InvalidRequest", f"the trailer {name} was announced, but it is not there; nothing was stored")
    if not hmac.compare_digest(trailers[name].encode(), made.encode()):
        raise S3Error("BadDigest", f"the body does not have the {name} that was sent with it; nothing was stored")


async def _read_trailers(source: _Source, signer: ChunkSigner | None) -> dict[str, str]:
    """The lines after the last chunk, up to an empty one or the end."""
    found: dict[str, str] = {}
    signed = b""
    claimed = ""
    lines = 0
    while line := await source.line(may_end=True):
        lines += 1
        if lines > _MOST_TRAILERS:
            raise _broken()
        name, _, value = line.decode("latin-1").partition(":")
        name, value = name.strip().lower(), value.strip()
        if name == "x-amz-trailer-signature":
            claimed = value
            continue
        found[name] = value
        signed += f"{name}:{value}\n".encode()
    await source.drain()
    if signer:
        signer.check_trailer(signed, claimed)
    return found


def _chunk_header(line: bytes) -> tuple[int, str]:
    """Size and claimed signature of a chunk."""
    size, _, rest = line.partition(b";")
    if not 1 <= len(size) <= 16 or size.strip(b"0123456789abcdefABCDEF"):
        raise _broken()
    name, _, value = rest.partition(b"=")
    return int(size, 16), value.decode("latin-1").strip() if name.strip() == b"chunk-signature" else ""


def _broken() -> S3Error:
    return S3Error("InvalidRequest", "the body is not in the chunked encoding of S3; nothing was stored")


class _Source:
    """Lines and bytes of a stream."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._data = b""
        self._at = 0

    async def take(self, most: int) -> bytes:
        """1 to `most` bytes, as many as are there."""
        if self._at >= len(self._data) and not await self._more():
            raise S3Error("IncompleteBody", "the body ended within a chunk; nothing was stored")
        piece = self._data[self._at : self._at + most]
        self._at += len(piece)
        return piece

    async def line(self, *, may_end: bool = False) -> bytes:
        """Up to the next CR LF, without it. At the end of the body: what is left, if `may_end`."""
        while (end := self._data.find(b"\r\n", self._at)) < 0:
            if len(self._data) - self._at > _LONGEST_LINE:
                raise _broken()
            if not await self._more():
                if may_end:
                    line, self._at = self._data[self._at :], len(self._data)
                    return line
                raise S3Error("IncompleteBody", "the body ended before its last chunk; nothing was stored")
        line, self._at = self._data[self._at : end], end + 2
        return line

    async def drain(self) -> None:
        """Read to the end, where nothing but an empty line may be."""
        more = True
        while more:
            if len(self._data) - self._at > 2:
                raise _broken()
            more = await self._more()

    async def _more(self) -> bool:
        chunk = await anext(self._body, b"")
        if not chunk:
            return False
        self._data = self._data[self._at :] + chunk if self._at < len(self._data) else chunk
        self._at = 0
        return True
