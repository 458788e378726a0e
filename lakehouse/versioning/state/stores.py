# SPDX-License-Identifier: Apache-2.0
"""Which store a storage namespace or a physical address belongs to.

What is recorded is always read from the store that it was recorded with. The id "" stands for the stores that need no
name: the one that namespaces are chosen in, and the embedded one. Each other store is reached by its id only, so that
adding a store never changes where an address that is known leads to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import InvalidAddress, UnknownStorage
from lakehouse.objects.address import Address, parse_address
from lakehouse.objects.port import Location, MultipartStore, ObjectStore, Presigner, StoreDescription

if TYPE_CHECKING:
    from collections.abc import Sequence


class Store(msgspec.Struct, frozen=True):
    """A configured store: its id on the wire ("" for one that needs no name), its adapter, who signs URLs for it, and
    what takes uploads in parts.
    """

    id: str
    objects: ObjectStore
    description: StoreDescription
    presigner: Presigner | None
    uploads: MultipartStore | None = None
    buckets: frozenset[str] | None = None
    """The buckets it serves; None: any."""
    home: str = ""
    """The bucket that it was configured with: addresses there are its own, whatever other stores serve any bucket."""
    comment: str = ""
    """What it is for, in the operator's words."""

    def serves(self, address: Address) -> bool:
        """Whether an address can be one of this store's."""
        return self.description.scheme == address.scheme and (self.buckets is None or address.bucket in self.buckets)

    def owns(self, address: Address) -> bool:
        """Whether an address is in a bucket that this store was configured with."""
        return self.serves(address) and address.bucket == self.home

    @property
    def root(self) -> str:
        """The bucket in which namespaces are chosen, as a URI that ends in "/"."""
        example = self.description.namespace_example
        return example[: example.index("/", example.index("://") + 3) + 1]


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
    """The stores of a server; the first is the one that namespaces are chosen in when no storage id is given."""

    def __init__(self, stores: tuple[Store, ...]) -> None:
        self._stores = stores
        self.default = stores[0]
        self._reserved = {(store.description.scheme, name) for store in stores for name in store.buckets or ()}
        self._places: dict[tuple[str, str], Place] = {}

    @property
    def offered(self) -> tuple[Store, ...]:
        """The stores that a repository can be made in."""
        return (self.default, *(store for store in self._stores[1:] if store.id))

    def store_of(self, address: Address, storage_id: str = "") -> Store:
        """The store of an address that is used with a storage id. Raises UnknownStorage."""
        store = self._first(address, [store for store in self._stores if store.id == storage_id])
        if store is not None:
            return store
        other = self._first(address, self._stores)
        hint = f"an address here looks like {self.by_id(storage_id).description.namespace_example}"
        if other is not None:
            hint = f"it is in the storage {other.id!r}: name that as storage_id" if other.id else "give no storage_id"
        where = f"{address.scheme}://{address.bucket}/"
        if not storage_id:
            raise UnknownStorage(f"invalid address: no store of this server holds {where} ({hint})")
        raise UnknownStorage(f"{where} is not in the storage {storage_id!r} ({hint}): invalid value: validation error")

    def external(self, address: Address, *, beside: Store) -> Store:
        """The store of an address that is linked in a repository of the store `beside`. Raises UnknownStorage."""
        found = self._first(address, [beside, *self._stores])
        return self.store_of(address) if found is None else found

    def by_id(self, storage_id: str) -> Store:
        """Raises UnknownStorage."""
        for store in self._stores:
            if store.id == storage_id:
                return store
        raise UnknownStorage(f"storage id {storage_id!r}: invalid value: validation error")

    def place(self, namespace: str, storage_id: str = "") -> Place:
        """Where a storage namespace is. Raises InvalidAddress, UnknownStorage."""
        place = self._places.get((namespace, storage_id))
        if place is None:
            uri = namespace if namespace.endswith("/") else namespace + "/"
            address = parse_address(uri)
            store = self.store_of(address, storage_id)
            place = Place(store=store, uri=uri, bucket=address.bucket, prefix=address.key)
            if len(self._places) >= 10_000:
                self._places.clear()
            self._places[namespace, storage_id] = place
        return place

    def locate(self, uri: str, storage_id: str = "") -> tuple[Store, Location]:
        """The store and place of a full address. Raises InvalidAddress, UnknownStorage."""
        address = parse_address(uri)
        if not address.key:
            raise InvalidAddress(f"invalid address: {uri} names no object")
        return self.store_of(address, storage_id), Location(address.bucket, address.key)

    def _first(self, address: Address, stores: Sequence[Store]) -> Store | None:
        """The store that owns an address, else the first one that serves it. The buckets of a store that has a closed
        list of them are nobody else's.
        """
        open_ones = () if (address.scheme, address.bucket) in self._reserved else stores
        return next(
            (store for store in stores if store.buckets is not None and store.serves(address)),
            next(
                (store for store in open_ones if store.owns(address)),
                next((store for store in open_ones if store.serves(address)), None),
            ),
        )

    async def close(self) -> None:
        """Close every store."""
        for store in self._stores:
            await store.objects.close()
