# SPDX-License-Identifier: Apache-2.0
"""Chunked bodies: the example that AWS publishes, every way to cut the stream, and every way to break it."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest

from lakehouse.core.sigv4 import Scope, signature, signing_key
from lakehouse.s3.checksums import encoded, new_checksum
from lakehouse.s3.chunked import ChunkSigner, decode_chunked
from lakehouse.s3.errors import S3Error

pytestmark = pytest.mark.anyio

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SCOPE = Scope("20130524", "us-east-1")
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
PUBLISHED = (
    (b"a" * 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (b"a" * 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (b"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
)
SIGNED = b"".join(b"%x;chunk-signature=%s\r\n%s\r\n" % (len(data), sign.encode(), data) for data, sign in PUBLISHED)


def signer() -> ChunkSigner:
    return ChunkSigner(signing_key(SECRET, SCOPE), "20130524T000000Z", SCOPE, SEED)


async def decode(
    raw: bytes, *, step: int = 1 << 20, by: ChunkSigner | None = None, trailer: str | None = None
) -> bytes:
    async def pieces():
        for start in range(0, len(raw), step):
            yield raw[start : start + step]

    return b"".join([chunk async for chunk in decode_chunked(pieces(), signer=by, trailer=trailer)])


@pytest.mark.parametrize("step", [1, 7, 1000, 65_536, 1 << 20])
async def test_the_published_example(step):
    assert await decode(SIGNED, step=step, by=signer()) == b"a" * 66_560


@pytest.mark.parametrize("at", [20, 100, 65_000, 66_000, len(SIGNED) - 10])
async def test_one_changed_byte(at):
    broken = SIGNED[:at] + bytes((SIGNED[at] ^ 1,)) + SIGNED[at + 1 :]
    with pytest.raises(S3Error):
        await decode(broken, by=signer())


async def test_a_chunk_left_out():
    first = SIGNED.index(b"\r\n", 65_700) + 2
    last = SIGNED.index(b"0;chunk")
    with pytest.raises(S3Error) as caught:
        await decode(SIGNED[:first] + SIGNED[last:], by=signer())
    assert caught.value.code == "SignatureDoesNotMatch"


def with_trailer(name: str, value: str, data: bytes = b"hello world") -> bytes:
    return b"5\r\n%s\r\n6\r\n%s\r\n0\r\n%s:%s\r\n\r\n" % (data[:5], data[5:], name.encode(), value.encode())


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"])
@pytest.mark.parametrize("step", [1, 1 << 20])
async def test_trailing_checksums(name, step):
    checksum = new_checksum(name)
    checksum.update(b"hello world")
    header = f"x-amz-checksum-{name}"
    raw = with_trailer(header, encoded(checksum))
    assert await decode(raw, step=step, trailer=header) == b"hello world"
    with pytest.raises(S3Error) as caught:
        await decode(raw.replace(b"hello", b"jello"), step=step, trailer=header)
    assert caught.value.code == "BadDigest"
    with pytest.raises(S3Error):
        await decode(with_trailer("x-amz-checksum-other", "x"), trailer=header)


async def test_a_signed_trailer():
    by = signer()
    key = by.key
    chunks = b""
    previous = SEED
    for data in (b"hello", b""):
        digest = hashlib.sha256(data).hexdigest()
        empty = hashlib.sha256(b"").hexdigest()
        previous = signature(key, f"AWS4-HMAC-SHA256-PAYLOAD\n{by.stamp}\n{SCOPE}\n{previous}\n{empty}\n{digest}")
        chunks += b"%x;chunk-signature=%s\r\n" % (len(data), previous.encode()) + (data + b"\r\n" if data else b"")
    line = f"x-amz-checksum-crc32:{base64.b64encode(zlib.crc32(b'hello').to_bytes(4, 'big')).decode()}\n"
    digest = hashlib.sha256(line.encode()).hexdigest()
    sign = signature(key, f"AWS4-HMAC-SHA256-TRAILER\n{by.stamp}\n{SCOPE}\n{previous}\n{digest}")
    raw = chunks + line.strip().encode() + b"\r\nx-amz-trailer-signature:" + sign.encode() + b"\r\n\r\n"
    assert await decode(raw, by=signer(), trailer="x-amz-checksum-crc32") == b"hello"
    with pytest.raises(S3Error) as caught:
        await decode(raw.replace(sign.encode(), b"0" * 64), by=signer(), trailer="x-amz-checksum-crc32")
    assert caught.value.code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"5", b"5\r\nhel", b"5\r\nhello", b"5\r\nhelloXX0\r\n\r\n", b"x\r\n", b"-1\r\n", b"\r\n",
        b" 5\r\nhello\r\n0\r\n",
        b"5_0\r\n", b"fffffffffffffffff\r\n", b"a" * 5000, b"0\r\n\r\nmore", b"0\r\n" + b"a:b\r\n" * 20,
    ],
)  # fmt: skip
async def test_what_is_not_chunked(raw):
    for step in (1, 1 << 20):
        with pytest.raises(S3Error) as caught:
            await decode(raw, step=step)
        assert caught.value.code in ("InvalidRequest", "IncompleteBody")


async def test_an_unknown_trailer():
    with pytest.raises(S3Error, match="no checksum"):
        await decode(b"0\r\n\r\n", trailer="x-amz-checksum-md4")
