# SPDX-License-Identifier: Apache-2.0
"""What operations on the embedded store's buckets need beside their request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import Unsupported
from lakehouse.core.records import User
from lakehouse.objects.port import Location, MultipartStore, ObjectStore

if TYPE_CHECKING:
    from lakehouse.objects.port import ObjectPart
    from lakehouse.s3.request import S3Request


class KeyRecord(msgspec.Struct, frozen=True):
    """An access key: its secret, whose it is, and whether it may use the embedded store's own buckets."""

    secret: str
    user: str
    may_use_physical: bool = False
    account: User | None = None
    """The user of the lake, where there is one."""


LookupSecret = Callable[[str], Awaitable[KeyRecord | None]]
"""From access key id to its record; None when there is no such key."""
WriteOnce = Callable[[Location], Awaitable[bool]]
"""Whether an object's bytes must never change once they are there: those under a repository's `data/`."""


class Buckets(msgspec.Struct, frozen=True):
    """Which buckets the embedded store has. `any_name`: every legal name is a bucket, empty until something is put;
    `filled` then tells those that are not.
    """

    names: tuple[str, ...] = ("lake.local",)
    any_name: bool = False
    filled: Callable[[], Sequence[str]] = tuple

    def __contains__(self, name: str) -> bool:
        return name in self.names or (self.any_name and "/" not in name and name != "")


class Physical(msgspec.Struct, frozen=True):
    """The embedded store, and the rules for its buckets."""

    store: ObjectStore
    buckets: Buckets
    write_once: WriteOnce
    region: str
    uploads: MultipartStore | None = None


def multipart(physical: Physical) -> MultipartStore:
    """The store's uploads in parts. Raises Unsupported when it has none."""
    if physical.uploads is None:
        raise Unsupported("this store takes no uploads in parts")
    return physical.uploads


async def part_of(physical: Physical, request: S3Request, number: int) -> ObjectPart | None:
    """A part of the object that a request names. Raises StoredObjectNotFound, Unsupported."""
    return await multipart(physical).part_of(location(request), number)


def location(request: S3Request) -> Location:
    """The place that a request names."""
    return Location(request.bucket, request.key)
