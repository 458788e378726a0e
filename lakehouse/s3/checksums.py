# SPDX-License-Identifier: Apache-2.0
"""The checksums that S3 clients send: crc32, crc32c, crc64nvme, sha1, sha256.

zlib and hashlib have three of them; CRC-32C and CRC-64/NVME, which newer SDKs prefer, come from AWS's own runtime. All
of them are faster than the network, so they run in the event loop, on chunks of up to 1 MiB.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import TYPE_CHECKING, Protocol

from awscrt.checksums import crc32c, crc64nvme

if TYPE_CHECKING:
    from collections.abc import Callable


class Checksum(Protocol):
    """A running checksum."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class NativeCrc:
    """A CRC of 4 or 8 bytes that is computed by a function of (bytes, previous value)."""

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def new_checksum(name: str) -> Checksum | None:
    """A checksum by the name that S3 gives it (`crc32`, ...); None when there is none of this name."""
    match name:
        case "crc32":
            return NativeCrc(zlib.crc32, 4)
        case "crc32c":
            return NativeCrc(crc32c, 4)
        case "crc64nvme":
            return NativeCrc(crc64nvme, 8)
        case "sha1":
            return hashlib.sha1(usedforsecurity=False)
        case "sha256":
            return hashlib.sha256()
        case _:
            return None


def encoded(checksum: Checksum) -> str:
    """A checksum as it travels in headers and trailers."""
    return base64.b64encode(checksum.digest()).decode()
