# SPDX-License-Identifier: Apache-2.0
"""Physical addresses: how they are named, signed, and judged when they come back.

`data/<time>/<name>,<signature>` under the storage namespace. The signature covers repository, branch, path and name,
so that handing one out writes nothing, and checking one reads nothing. The name begins with the time of its making.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.clock import time_of_name, timed_name
from lakehouse.core.errors import InvalidAddress, InvalidArgument, LinkAddressExpired, LinkAddressInvalid
from lakehouse.core.records import AddressKind
from lakehouse.meta import repositories
from lakehouse.objects.address import parse_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.records import Branch, Entry, Repository
    from lakehouse.core.signing import Series
    from lakehouse.objects.port import Location
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.stores import Place, Store

DATA = "data/"
INTERNAL = "_lakehouse/"
_FOLDER_DIGITS = 7
"""Of the name's twelve digits of time: objects made within 17 minutes share a folder."""


def fresh(now: float) -> str:
    """A new relative address, unsigned: for bytes that pass through the server."""
    name = timed_name(now)
    return f"{DATA}{name[:_FOLDER_DIGITS]}/{name}"


def issue(lake: Lake, repository: Repository, branch: Branch, path: bytes) -> str:
    """A new relative address that only this path of this branch can be linked to."""
    address = fresh(lake.clock())
    return f"{address},{lake.addresses.sign(_signed(repository, branch, path, address))}"


def issue_page(lake: Lake, repository: Repository, branch: Branch, paths: Sequence[bytes]) -> list[str]:
    """As `issue`, for each of the paths."""
    now = lake.clock()
    made = [fresh(now) for _ in paths]
    signatures = _series(lake, repository, branch).sign(zip(paths, made, strict=True))
    return [f"{address},{signature}" for address, signature in zip(made, signatures, strict=True)]


def absolute(lake: Lake, repository: Repository, entry: Entry) -> str:
    """The full URI of an entry's bytes."""
    return entry.address if entry.kind is AddressKind.FULL else lake.place(repository).uri + entry.address


def locate(lake: Lake, repository: Repository, entry: Entry) -> tuple[Store, Location]:
    """The store and place of an entry's bytes. Raises UnknownStorage."""
    if entry.kind is AddressKind.FULL:
        return lake.stores.locate(entry.address, entry.store)
    place = lake.place(repository)
    return place.store, place.locate(entry.address)


def presigned(lake: Lake, place: Place, relative: str, *, method: str, endpoint: str) -> str:
    """A URL for `method` on an object of a namespace, good for `lake.presign_seconds`. Raises Unsupported."""
    return presigned_location(lake, place.store, place.locate(relative), method=method, endpoint=endpoint)


def presigned_location(lake: Lake, store: Store, location: Location, *, method: str, endpoint: str) -> str:
    """As `presigned`, for a place in a store."""
    if store.presigner is None:
        raise InvalidArgument("this store cannot presign: operation not supported")
    return store.presigner.presign(method, location, expires=lake.presign_seconds, endpoint=endpoint)


async def accept(
    lake: Lake, repository: Repository, branch: Branch, path: bytes, uri: str
) -> tuple[str, AddressKind, str]:
    """What an entry holds for an address that a client wants linked: (address, kind, store id).

    Inside any repository's namespace only an address that was issued for this very path is accepted; everything else
    must be outside of every namespace, in a store of the same kind as the repository's.
    Raises InvalidAddress, LinkAddressInvalid, LinkAddressExpired.
    """
    place = lake.place(repository)
    relative = issued(lake, repository, branch, path, uri)
    if relative is not None:
        return relative, AddressKind.RELATIVE, ""
    parsed = parse_address(uri)
    own = parse_address(place.uri)
    if parsed.scheme != own.scheme:
        raise InvalidAddress(
            f"invalid address: {parsed.scheme}:// is not of this repository's storage type ({own.scheme}://)"
        )
    if parsed.bucket == own.bucket and parsed.key.startswith(own.key):
        relative = parsed.key[len(own.key) :]
        verify(lake, repository, branch, path, relative)
        return relative, AddressKind.RELATIVE, ""
    if not parsed.key:
        raise InvalidAddress(f"invalid address: {uri} names no object")
    await _require_outside(lake, uri)
    store = lake.stores.external(parsed, beside=place.store)
    return uri, AddressKind.FULL, store.id


def issued(lake: Lake, repository: Repository, branch: Branch, path: bytes, uri: str) -> str | None:
    """The relative address of a URI that was issued for this very path and is in force; None: it needs a judgement.

    What was signed is canonical, so it need not be parsed: this is all that nearly every link costs.
    """
    namespace = lake.place(repository).uri
    if not uri.startswith(namespace):
        return None
    relative = uri[len(namespace) :]
    address, _, signature = relative.rpartition(",")
    if not lake.addresses.verify(_signed(repository, branch, path, address), signature):
        return None
    return relative if time_of_name(address.rpartition("/")[2]) + lake.address_validity >= lake.clock() else None


def issued_page(
    lake: Lake, repository: Repository, branch: Branch, paths: Sequence[bytes], uris: Sequence[str]
) -> list[str] | None:
    """As `issued`, for each path and URI of a page; None: one of them needs a judgement."""
    namespace = lake.place(repository).uri
    if not all(uri.startswith(namespace) for uri in uris):
        return None
    begin = len(namespace)
    relatives = [uri[begin:] for uri in uris]
    cut = [relative.rpartition(",") for relative in relatives]
    made = [address for address, _, _ in cut]
    if not _series(lake, repository, branch).verify(
        list(zip(paths, made, strict=True)), [signature for _, _, signature in cut]
    ):
        return None
    oldest = min(made, default="")  # what was signed is canonical: addresses are in the order of their times
    if oldest and time_of_name(oldest.rpartition("/")[2]) + lake.address_validity < lake.clock():
        return None
    return relatives


def verify(lake: Lake, repository: Repository, branch: Branch, path: bytes, relative: str) -> None:
    """Raises LinkAddressInvalid, LinkAddressExpired."""
    if not relative.startswith(DATA):
        raise LinkAddressInvalid("address is inside the repository but not under data/: link address invalid")
    address, comma, signature = relative.rpartition(",")
    if not comma:
        raise LinkAddressInvalid("address is not signed: link address invalid")
    if not lake.addresses.verify(_signed(repository, branch, path, address), signature):
        raise LinkAddressInvalid("invalid address signature: invalid address: link address invalid")
    if time_of_name(address.rpartition("/")[2]) + lake.address_validity < lake.clock():
        raise LinkAddressExpired


def _signed(repository: Repository, branch: Branch, path: bytes, address: str) -> tuple[object, ...]:
    return (*_scope(repository, branch), path, address)


def _series(lake: Lake, repository: Repository, branch: Branch) -> Series:
    return lake.addresses.series(*_scope(repository, branch), more=2)


def _scope(repository: Repository, branch: Branch) -> tuple[object, ...]:
    return ("physical-address", repository.id, branch.name)


async def _require_outside(lake: Lake, uri: str) -> None:
    """No repository's namespace may hold a linked external address: it would be a way around its permissions."""
    if await repositories.namespaces_around(lake.db, spellings_around(uri)):
        raise LinkAddressInvalid("the address lies in another repository's storage namespace: link address invalid")


def spellings_around(uri: str) -> list[str]:
    """Every namespace that could hold `uri`, with and without its last slash."""
    found = []
    at = uri.find("/", uri.find("://") + 3)
    while at >= 0:
        found += [uri[:at], uri[: at + 1]]
        at = uri.find("/", at + 1)
    return found


async def is_data(lake: Lake, scheme: str, location: Location) -> bool:
    """Whether a place in a store lies under `data/` of some repository: such objects are write-once."""
    if f"/{DATA}" not in f"/{location.key}":
        return False
    uri = f"{scheme}://{location.bucket}/{location.key}"
    owners = await repositories.namespaces_around(lake.db, spellings_around(uri))
    return any(uri.startswith(f"{owner.storage_namespace.rstrip('/')}/{DATA}") for owner in owners)
