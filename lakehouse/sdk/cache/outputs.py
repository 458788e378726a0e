# SPDX-License-Identifier: Apache-2.0
"""Outputs of a task: bytes that the cache keeps, or an URI that leads to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

import msgspec
from msgspec import UNSET

from lakehouse.core.errors import InvalidArgument
from lakehouse.core.marks import PLAIN

if TYPE_CHECKING:
    from lakehouse.sdk._sync.client import Client
    from lakehouse.wire.cache import CacheEntry


class Readable(Protocol):
    """Anything with bytes in it."""

    def read(self) -> bytes: ...


class Pointer(msgspec.Struct, frozen=True):
    """Outputs that are somewhere already: the cache keeps the URI."""

    uri: str


class Outputs:
    """What an entry holds. `uri` leads to the bytes; `read` fetches them, as far as this lake has them."""

    def __init__(self, lake: Client, entry: CacheEntry) -> None:
        self._lake = lake
        self._entry = entry

    @property
    def uri(self) -> str:
        return self._entry.output_uri

    def read(self) -> bytes:
        """The bytes: a serialized `core.LiteralMap`, if Flyte stored them.

        Raises ObjectNotFound and its like when they are gone, InvalidArgument when they are not in this lake.
        """
        kept = self._entry.outputs
        return _fetched(self._lake, self.uri) if kept is UNSET else kept


def bytes_of(reader: Readable | bytes | Any) -> bytes:
    """What is to be kept: bytes, what has them to read, or a message. Raises InvalidArgument."""
    if isinstance(reader, bytes):
        return reader
    if hasattr(reader, "SerializeToString"):
        return bytes(reader.SerializeToString(deterministic=True))
    if hasattr(reader, "read"):
        return bytes(reader.read())
    raise InvalidArgument("outputs: give bytes, something to read them from, a message, or a Pointer")


def _fetched(lake: Client, uri: str) -> bytes:
    scheme, separator, rest = uri.partition("://")
    repository, _, key = rest.partition("/")
    if not separator or scheme not in ("s3", "s3a") or not key:
        raise InvalidArgument(f"{uri}: these outputs are not in this lake")
    found = lake.repositories.get_repository(repository)
    key = unquote(key.partition("#")[0].partition("?")[0])
    if lake.repositories.get_repository_metadata(repository).get(PLAIN) == "true":
        return lake.objects.get_object(repository, found.default_branch, key)
    ref, _, path = key.partition("/")
    return lake.objects.get_object(repository, ref, path)
