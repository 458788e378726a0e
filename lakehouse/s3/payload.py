# SPDX-License-Identifier: Apache-2.0
"""The body of a signed request, checked against everything that was announced of it.

The checks run while the bytes pass; what is wrong is raised in place of the end of the stream, so nothing is stored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import TYPE_CHECKING

from lakehouse.core.sigv4 import UNSIGNED_PAYLOAD, SigningKeys
from lakehouse.s3.checksums import new_checksum
from lakehouse.s3.chunked import FORMS, SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, ChunkSigner, decode_chunked
from lakehouse.s3.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.s3.checksums import Checksum
    from lakehouse.s3.request import S3Request
    from lakehouse.s3.sigv4 import Claim

_SHA256 = re.compile(r"[0-9a-f]{64}")
_EMPTY_SHA256 = hashlib.sha256().hexdigest()
_NOT_CHECKSUMS = frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"})


def open_payload(request: S3Request, claim: Claim | None, *, secret: str, keys: SigningKeys) -> None:
    """Put the checked body in place of the raw one in `request`, and its true length. Raises S3Error.

    Without a claim of version 4 (another way of signing, or a session) nothing says who signed chunks, so only their
    form is looked at; declared checksums count all the same.
    """
    declared = request.headers.get("x-amz-content-sha256", UNSIGNED_PAYLOAD)
    payload = declared if claim is None else claim.payload
    if payload in FORMS:
        _open_chunked(request, payload, _chunk_signer(payload, claim, secret, keys))
    elif _SHA256.fullmatch(payload):
        if payload != _EMPTY_SHA256 or request.length != 0:
            request.body = _checked(request.body, hashlib.sha256(), bytes.fromhex(payload), "XAmzContentSHA256Mismatch")
    elif payload != UNSIGNED_PAYLOAD:
        raise S3Error("InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-... or a SHA-256")
    check_announced(request)


def _chunk_signer(payload: str, claim: Claim | None, secret: str, keys: SigningKeys) -> ChunkSigner | None:
    if claim is None or payload not in (SIGNED, SIGNED_TRAILER):
        return None
    if claim.presigned:
        raise S3Error("InvalidRequest", "a presigned URL does not take signed chunks")
    return ChunkSigner(keys.key(secret, claim.scope), claim.stamp, claim.scope, claim.signature)


def _open_chunked(request: S3Request, payload: str, signer: ChunkSigner | None) -> None:
    text = request.headers.get("x-amz-decoded-content-length", "")
    if not text.isascii() or not text.isdigit():
        raise S3Error("InvalidRequest", "a chunked body needs the header x-amz-decoded-content-length")
    trailer = request.headers.get("x-amz-trailer")
    if payload in (SIGNED_TRAILER, UNSIGNED_TRAILER) and not trailer:
        raise S3Error("InvalidRequest", "a chunked body with a trailer needs the header x-amz-trailer")
    request.body = decode_chunked(request.body, signer=signer, trailer=None if payload == SIGNED else trailer)
    request.length = int(text)


def check_announced(request: S3Request) -> None:
    """Wrap the body in the checks that Content-MD5 and x-amz-checksum-* ask for."""
    headers = request.headers
    if "content-md5" in headers:
        digest = hashlib.md5(usedforsecurity=False)
        request.body = _checked(request.body, digest, _decoded("content-md5", headers["content-md5"], 16), "BadDigest")
    for name, value in headers.items():
        if name.startswith("x-amz-checksum-") and name not in _NOT_CHECKSUMS:
            checksum = new_checksum(name.removeprefix("x-amz-checksum-"))
            if checksum is None:
                raise S3Error("InvalidRequest", f"{name} is no checksum that is known here")
            request.body = _checked(request.body, checksum, _decoded(name, value, len(checksum.digest())), "BadDigest")


def _decoded(name: str, text: str, size: int) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except binascii.Error:
        found = b""
    if len(found) != size:
        raise S3Error("InvalidDigest", f"{name} must be {size} bytes in base64")
    return found


async def _checked(body: AsyncIterator[bytes], checksum: Checksum, expected: bytes, code: str) -> AsyncIterator[bytes]:
    async for chunk in body:
        checksum.update(chunk)
        yield chunk
    if not hmac.compare_digest(checksum.digest(), expected):
        raise S3Error(code, "the body is not the one that was announced (its checksum differs); nothing was stored")
