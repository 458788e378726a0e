# SPDX-License-Identifier: Apache-2.0
"""Staging: addresses to upload to, and links of what was uploaded; one at a time and in batches.

A link that carries the token of a staging area that a commit has taken is answered 409 with a `StagingLocation`: a new
address and the new token. The new token is good with the first address too. A link without a token never gets it.

What comes in thousands is kept from the garbage collector (`gc=False`): it cannot be part of a cycle.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.numbers import Size, Time
from lakehouse.wire.objects import PRECONDITIONS, ObjectStats, PathQuery
from lakehouse.wire.operation import DYNAMIC, OBJECT, Operation, need

MAX_ADDRESSES = 10_000
"""Most paths in one request for addresses."""


class StagingLocation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where to upload. `token` is opaque and always in answers; `presigned_url_expiry` in seconds."""

    physical_address: str | UnsetType = UNSET
    token: str | UnsetType = UNSET
    presigned_url: str | UnsetType | None = UNSET
    presigned_url_expiry: int | UnsetType = UNSET


class StagingMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was uploaded, and where. `checksum` as the store gave it, `mtime` in seconds."""

    staging: StagingLocation
    checksum: str
    size_bytes: Size
    user_metadata: dict[str, str] = {}
    content_type: str = ""
    mtime: Time | UnsetType = UNSET
    force: bool = False


class GetPhysicalAddressQuery(PathQuery, frozen=True, kw_only=True, omit_defaults=True):
    """`presign`: with a URL to PUT to."""

    presign: bool = False


class AddressesCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Paths to get addresses for."""

    paths: Annotated[list[str], msgspec.Meta(max_length=MAX_ADDRESSES)]
    presign: bool = False


class PathLocation(StagingLocation, frozen=True, kw_only=True):
    """The location for one path of many."""

    path: str


class PathLocationList(msgspec.Struct, frozen=True):
    """In the order of the paths that were asked for."""

    results: list[PathLocation]


class LinkItem(StagingMetadata, frozen=True, kw_only=True, omit_defaults=True):
    """One link of a batch: a line of NDJSON, or an item of a JSON array."""

    path: str


class LinkResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of one link. 200 is linked; else `message` and `code` tell why, and with 409 `location` where to go
    on.
    """

    path: str
    status_code: int = 200
    message: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    location: StagingLocation | UnsetType = UNSET


class LinkResultList(msgspec.Struct, frozen=True, kw_only=True):
    """`linked` counts the links that were made. `results` has one item for each of the batch, in its order; it is empty
    for an atomic batch, which is linked as a whole or answered with one error.
    """

    linked: int
    results: list[LinkResult] = []


class LinkPhysicalAddressesQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`atomic`: all links or none."""

    atomic: bool = False


_BACKING = "/repositories/{repository}/branches/{branch}/staging/backing"

GET_PHYSICAL_ADDRESS = Operation(
    name="get_physical_address",
    id="getPhysicalAddress",
    method="GET",
    path=_BACKING,
    tag="staging",
    summary="Get an address to upload an object to",
    allow=need("fs:WriteObject", OBJECT),
    query=GetPhysicalAddressQuery,
    result=StagingLocation,
)
LINK_PHYSICAL_ADDRESS = Operation(
    name="link_physical_address",
    id="linkPhysicalAddress",
    method="PUT",
    path=_BACKING,
    tag="staging",
    summary="Make an uploaded object an uncommitted change of the branch",
    allow=need("fs:WriteObject", OBJECT),
    query=PathQuery,
    body=StagingMetadata,
    headers=PRECONDITIONS,
    result=ObjectStats,
    also={409: StagingLocation},
)
GET_PHYSICAL_ADDRESSES = Operation(
    name="get_physical_addresses",
    id="getPhysicalAddresses",
    method="POST",
    path="/repositories/{repository}/branches/{branch}/staging/addresses",
    tag="staging",
    summary="Get addresses to upload many objects to",
    allow=DYNAMIC,
    body=AddressesCreation,
    result=PathLocationList,
    packed=True,
)
LINK_PHYSICAL_ADDRESSES = Operation(
    name="link_physical_addresses",
    id="linkPhysicalAddresses",
    method="PUT",
    path="/repositories/{repository}/branches/{branch}/staging/links",
    tag="staging",
    summary="Link many uploaded objects: a JSON array, NDJSON or MessagePack, which may be streamed",
    allow=DYNAMIC,
    query=LinkPhysicalAddressesQuery,
    body=list[LinkItem],
    result=LinkResultList,
    also={409: StagingLocation},
    raw_body=True,
    packed=True,
)

OPERATIONS = (GET_PHYSICAL_ADDRESS, LINK_PHYSICAL_ADDRESS, GET_PHYSICAL_ADDRESSES, LINK_PHYSICAL_ADDRESSES)
