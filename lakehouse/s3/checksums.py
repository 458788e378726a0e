# SPDX-License-Identifier: Apache-2.0
"""The checksums that S3 clients send: crc32, crc32c, crc64nvme, sha1, sha256.

zlib and hashlib have three of them. CRC-32C and CRC-64/NVME go through tables of two bytes a step: some 30 MB/s, so
clients with a choice fare better with crc32.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import zlib
from functools import cache
from typing import Protocol

_CRC32C = 0x82F63B78
_CRC64NVME = 0x9A6C9329AC4BC9B5


class Checksum(Protocol):
    """A running checksum."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Crc32:
    """CRC-32 as in zip and PNG."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class TableCrc:
    """A reflected CRC of 32 or 64 bits that begins and ends inverted."""

    def __init__(self, polynomial: int, size: int) -> None:
        self._ones = (1 << size * 8) - 1
        self._size = size
        self._value = self._ones
        self._bytes, self._pairs = _tables(polynomial)

    def update(self, data: bytes, /) -> None:
        value, pairs, single = self._value, self._pairs, self._bytes
        even = len(data) & ~1 if sys.byteorder == "little" else 0
        for word in memoryview(data)[:even].cast("H"):
            value = pairs[(value ^ word) & 0xFFFF] ^ (value >> 16)
        for byte in memoryview(data)[even:]:
            value = single[(value ^ byte) & 0xFF] ^ (value >> 8)
        self._value = value

    def digest(self) -> bytes:
        return (self._value ^ self._ones).to_bytes(self._size, "big")


@cache
def _tables(polynomial: int) -> tuple[list[int], list[int]]:
    """What one byte, and what two bytes, do to a remainder."""
    single = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1
        single.append(value)
    pairs = []
    for word in range(65536):
        value = single[word & 0xFF] ^ (word >> 8)
        pairs.append(single[value & 0xFF] ^ (value >> 8))
    return single, pairs


def new_checksum(name: str) -> Checksum | None:
    """A checksum by the name that S3 gives it (`crc32`, ...); None when there is none of this name."""
    match name:
        case "crc32":
            return Crc32()
        case "crc32c":
            return TableCrc(_CRC32C, 4)
        case "crc64nvme":
            return TableCrc(_CRC64NVME, 8)
        case "sha1":
            return hashlib.sha1(usedforsecurity=False)
        case "sha256":
            return hashlib.sha256()
        case _:
            return None


def encoded(checksum: Checksum) -> str:
    """A checksum as it travels in headers and trailers."""
    return base64.b64encode(checksum.digest()).decode()
