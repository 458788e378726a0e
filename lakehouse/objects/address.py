# SPDX-License-Identifier: Apache-2.0
"""Physical addresses: URIs as users write them, parsed forms as the program compares them.

Who may read through an address is decided by the parsed form, so every place has exactly one spelling: what is not
canonical is refused instead of repaired, and nothing is ever percent-decoded.
"""

from __future__ import annotations

import re

import msgspec

from lakehouse.core.errors import InvalidAddress
from lakehouse.objects.port import Location

MAX_KEY = 1024
"""Bytes of UTF-8 in a key."""

_SCHEME = re.compile(r"[a-z][a-z0-9]{0,15}")
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,253}[a-z0-9])?")


class Address(msgspec.Struct, frozen=True, order=True):
    """A place: the kind of store, the bucket, the key ("" is the bucket's root)."""

    scheme: str
    bucket: str
    key: str

    @property
    def location(self) -> Location:
        return Location(self.bucket, self.key)

    @property
    def uri(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"

    @property
    def embedded(self) -> bool:
        """Whether the embedded store serves it: `s3://` and a bucket name with a dot."""
        return self.scheme == "s3" and "." in self.bucket


def parse_address(uri: str) -> Address:
    """`scheme://bucket/key` as an Address. Raises InvalidAddress for anything but the canonical spelling."""
    scheme, separator, rest = uri.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise InvalidAddress(
            f"invalid address {_shown(uri)}: write it as scheme://bucket/key, the scheme in lower case"
        )
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise InvalidAddress(
            f"invalid address {_shown(uri)}: the bucket needs 1 to 255 characters of a-z, 0-9, '.', '_' and '-', "
            "the first and the last of them a letter or digit"
        )
    _check_key(key, uri)
    return Address(scheme, bucket, key)


def key_bytes(key: str) -> bytes:
    """A key as stores keep and sort it. Raises InvalidAddress when it is empty or longer than 1,024 bytes.

    Bytes that are not UTF-8 travel in a key as surrogate escapes.
    """
    try:
        raw = key.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidAddress("invalid address: the key is not UTF-8") from error
    if not raw:
        raise InvalidAddress("invalid address: the key is empty")
    if len(raw) > MAX_KEY:
        raise InvalidAddress(f"invalid address: the key has {len(raw)} bytes, at most {MAX_KEY} are allowed")
    return raw


def key_text(raw: bytes) -> str:
    """The opposite of `key_bytes`."""
    return raw.decode("utf-8", "surrogateescape")


def _check_key(key: str, shown: str) -> None:
    """Refuse a key with a second spelling of its own: empty, `.` or `..` segments, NUL, what is not UTF-8."""
    if not key:
        return
    segments = key.split("/")
    if any(segment in ("", ".", "..") for segment in segments[:-1]) or segments[-1] in (".", ".."):
        raise InvalidAddress(f"invalid address {_shown(shown)}: it has an empty, '.' or '..' segment")
    if "\x00" in key:
        raise InvalidAddress(f"invalid address {_shown(shown)}: it has a NUL character")
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidAddress(f"invalid address {_shown(shown)}: it is not UTF-8") from error
    if length > MAX_KEY:
        raise InvalidAddress(f"invalid address: the key has {length} bytes, at most {MAX_KEY} are allowed")


def _shown(text: str) -> str:
    """`text` for a message: on one line, and not longer than is useful."""
    return ascii(text if len(text) <= 200 else f"{text[:200]}...")
