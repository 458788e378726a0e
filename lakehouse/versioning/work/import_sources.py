# SPDX-License-Identifier: Apache-2.0
"""Where an import takes objects from, and what they become.

Sources are walked by listing their stores: in order of key, so that what they become comes in order of path. No source
may lie in, around or across any repository's storage namespace: it would be a way around its permissions.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import InvalidAddress, InvalidImportSource, StoredObjectNotFound, UnknownStorage
from lakehouse.core.paths import MAX_PATH, parse_prefix
from lakehouse.core.records import AddressKind, Entry
from lakehouse.format.entry import pack
from lakehouse.meta import repositories
from lakehouse.objects.address import parse_address
from lakehouse.versioning.objects.addresses import spellings_around

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lakehouse.objects.address import Address
    from lakehouse.objects.port import ObjectInfo
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.stores import Store

PAGE = 1000


class SourceKind(StrEnum):
    PREFIX = "common_prefix"
    OBJECT = "object"


class Source(msgspec.Struct, frozen=True):
    """All objects whose address begins with `path`, or the one at `path`; and where they go.

    `destination` is a path for an object; for a prefix it is the folder under which the rest of each key goes.
    """

    path: str
    destination: str
    kind: SourceKind

    @property
    def target(self) -> bytes:
        """What a prefix replaces (ends in "/" unless it is everything), or the path that an object goes to."""
        text = self.destination
        if self.kind is SourceKind.PREFIX and text and not text.endswith("/"):
            text += "/"
        return parse_prefix(text, what="destination")


async def require_importable(lake: Lake, beside: Store, source: Source) -> None:
    """Raises InvalidImportSource when the source is no address, or touches a repository's storage namespace.

    `beside`: the store of the repository that it goes to.
    """
    address, store = _address(lake, beside, source)
    if not store.description.importable:
        raise InvalidImportSource(f"{source.path}: this storage cannot be imported from: invalid import source")
    if source.kind is SourceKind.OBJECT and not (address.key and source.target):
        raise InvalidImportSource(f"{source.path}: an object needs a key and a destination: invalid import source")
    around = await repositories.namespaces_around(lake.db, spellings_around(source.path))
    inside = source.kind is SourceKind.PREFIX and await repositories.namespace_begins(lake.db, source.path)
    if around or inside:
        raise InvalidImportSource(f"{source.path}: it touches the data of a repository: invalid import source")


async def entries(lake: Lake, beside: Store, source: Source) -> AsyncGenerator[list[tuple[bytes, bytes]], None]:
    """What the source's objects become: (path, packed entry), in order of path, in pages.

    Raises InvalidImportSource, StorageUnavailable.
    """
    address, store = _address(lake, beside, source)
    target = source.target
    root = f"{address.scheme}://{address.bucket}/"
    if source.kind is SourceKind.OBJECT:
        try:
            info = await store.objects.head(address.location)
        except StoredObjectNotFound as error:
            raise InvalidImportSource(f"{source.path}: no such object: invalid import source") from error
        yield [(target, _packed(root + address.key, info, store.id))]
        return
    cut = _kept_from(address.key)
    after, more = "", True
    while more:
        found, more = await store.objects.list(address.bucket, prefix=address.key, after=after, limit=PAGE)
        page = [
            (target + one.key[cut:].encode(), _packed(root + one.key, one.info, store.id))
            for one in found
            if len(one.key) > cut
        ]
        _require_good(root, page, [one.key for one in found])
        if page:
            yield page
        after = found[-1].key if found else after


def _address(lake: Lake, beside: Store, source: Source) -> tuple[Address, Store]:
    try:
        address = parse_address(source.path)
        return address, lake.stores.external(address, beside=beside)
    except (InvalidAddress, UnknownStorage) as error:
        raise InvalidImportSource(f"{error.message}: invalid import source") from error


def _kept_from(prefix: str) -> int:
    """Where the part of a key begins that goes under the destination: a prefix that does not end in "/" matches its
    siblings too, so that the name that it begins stays.
    """
    return prefix.rfind("/") + 1


def _require_good(root: str, page: list[tuple[bytes, bytes]], keys: list[str]) -> None:
    for key in keys:
        if "//" in key or "/." in key or key[0] in "./" or "\x00" in key:
            _require_address(root + key)
    longest = max((len(path) for path, _ in page), default=0)
    if longest > MAX_PATH:
        raise InvalidImportSource(f"a path would be {longest} bytes long, at most {MAX_PATH}: invalid import source")


def _require_address(uri: str) -> None:
    try:
        parse_address(uri)
    except InvalidAddress as error:
        raise InvalidImportSource(f"{error.message}; exclude or rename it: invalid import source") from error


def _packed(uri: str, info: ObjectInfo, store: str) -> bytes:
    return pack(
        Entry(
            address=uri,
            kind=AddressKind.FULL,
            size=info.size,
            checksum=info.etag,
            mtime=int(info.modified),
            content_type=info.content_type,
            store=store,
        )
    )
