# SPDX-License-Identifier: Apache-2.0
"""Which store a storage namespace or a physical address belongs to.

`s3://<name with a dot>/` is the embedded store; any other address belongs to the configured store of its scheme.
"""

from __future__ import annotations

import msgspec

from lakehouse.core.errors import InvalidAddress, UnknownStorage
from lakehouse.objects.address import Address, parse_address
from lakehouse.objects.port import Location, ObjectStore, Presigner, StoreDescription


class Store(msgspec.Struct, frozen=True):
    """A configured store: its id on the wire ("" for the only one), its adapter, and who signs URLs for it."""

    id: str
    objects: ObjectStore
    description: StoreDescription
    presigner: Presigner | None
    buckets: frozenset[str] | None = None
    """The buckets it serves; None: any."""


class Place(msgspec.Struct, frozen=True):
    """A storage namespace, found: bucket and key prefix (which is empty or ends in "/") in a store."""

    store: Store
    uri: str
    """Canonical, ends in "/"."""
    bucket: str
    prefix: str

    def locate(self, relative: str) -> Location:
        """Where a relative address is."""
        return Location(self.bucket, self.prefix + relative)


class Stores:
    """The stores of a server; the first is the one that namespaces are chosen in."""

    def __init__(self, stores: tuple[Store, ...]) -> None:
        self._stores = stores
        self.default = stores[0]
        self._places: dict[str, Place] = {}

    def store_of(self, address: Address) -> Store:
        """Raises UnknownStorage."""
        for store in self._stores:
            if store.description.scheme == address.scheme and (
                store.buckets is None or address.bucket in store.buckets
            ):
                return store
        raise UnknownStorage(
            f"invalid address: no store of this server holds {address.scheme}://{address.bucket}/ "
            f"(an address here looks like {self.default.description.namespace_example})"
        )

    def by_id(self, storage_id: str) -> Store:
        """Raises UnknownStorage."""
        for store in self._stores:
            if store.id == storage_id:
                return store
        raise UnknownStorage(f"storage id {storage_id!r}: invalid value: validation error")

    def place(self, namespace: str) -> Place:
        """Where a storage namespace is. Raises InvalidAddress, UnknownStorage."""
        place = self._places.get(namespace)
        if place is None:
            uri = namespace if namespace.endswith("/") else namespace + "/"
            address = parse_address(uri)
            place = Place(store=self.store_of(address), uri=uri, bucket=address.bucket, prefix=address.key)
            if len(self._places) >= 10_000:
                self._places.clear()
            self._places[namespace] = place
        return place

    def locate(self, uri: str) -> tuple[Store, Location]:
        """The store and place of a full address. Raises InvalidAddress, UnknownStorage."""
        address = parse_address(uri)
        if not address.key:
            raise InvalidAddress(f"invalid address: {uri} names no object")
        return self.store_of(address), Location(address.bucket, address.key)

    async def close(self) -> None:
        """Close every store."""
        for store in self._stores:
            await store.objects.close()
