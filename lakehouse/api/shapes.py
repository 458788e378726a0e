# SPDX-License-Identifier: Apache-2.0
"""From the engine's records to the objects of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.core.paths import parse_prefix
from lakehouse.core.records import AddressKind, Change, ChangeKind, CommonPrefix, PathEntry
from lakehouse.versioning.objects import addresses
from lakehouse.versioning.objects.listing import Query
from lakehouse.versioning.objects.staging import Linked, Presign
from lakehouse.wire import branches, commits, diffs, objects, repositories, staging
from lakehouse.wire.paging import page_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lakehouse.asgi.call import Call
    from lakehouse.core.records import Commit, Entry, Page, Ref, Repository
    from lakehouse.core.staging_location import StagingLocation
    from lakehouse.versioning.lake import Lake
    from lakehouse.wire.diffs import DiffQuery


def text(path: bytes) -> str:
    """A path on the wire."""
    return path.decode("utf-8", "replace")


def repository(record: Repository) -> repositories.Repository:
    return repositories.Repository(
        id=record.name,
        creation_date=record.created,
        default_branch=record.default_branch,
        storage_namespace=record.storage_namespace,
        storage_id=record.storage_id,
        read_only=True if record.read_only else UNSET,
    )


def ref_list(page: Page[Ref]) -> branches.RefList:
    results = [branches.Ref(id=ref.name, commit_id=ref.commit_id) for ref in page.items]
    return branches.RefList(
        page_of(len(results), last=results[-1].id if results else "", has_more=page.has_more), results
    )


def commit(record: Commit) -> commits.Commit:
    return commits.Commit(
        id=record.id,
        parents=list(record.parents),
        committer=record.committer,
        message=record.message,
        creation_date=record.created,
        meta_range_id=record.root,
        metadata=record.metadata,
        generation=record.generation,
        version=record.version,
    )


def commit_list(page: Page[Commit]) -> commits.CommitList:
    results = [commit(record) for record in page.items]
    return commits.CommitList(
        page_of(len(results), last=results[-1].id if results else "", has_more=page.has_more), results
    )


def object_stats(linked: Linked, *, with_metadata: bool = True, expiry: int | None = None) -> objects.ObjectStats:
    entry = linked.entry
    return objects.ObjectStats(
        path=text(linked.path),
        physical_address=linked.uri,
        physical_address_expiry=UNSET if expiry is None else expiry,
        checksum=entry.checksum,
        size_bytes=entry.size,
        mtime=entry.mtime,
        metadata=entry.metadata if with_metadata else UNSET,
        content_type=entry.content_type or UNSET,
    )


def object_list(
    lake: Lake,
    record: Repository,
    page: Page[PathEntry | CommonPrefix],
    *,
    with_metadata: bool,
    presign: Presign | None,
    may_read: Callable[[str], bool],
) -> objects.ObjectStatsList:
    """A page of a listing. URLs to read with are only for those paths that the caller `may_read`."""
    results = []
    namespace = lake.place(record).uri
    for item in page.items:
        path = item.path.decode("utf-8", "replace")
        if isinstance(item, CommonPrefix):
            results.append(
                objects.ObjectStats(path=path, path_type="common_prefix", physical_address="", checksum="", mtime=0)
            )
            continue
        entry = item.entry
        expiry: int | None = None
        if presign is None:
            uri = namespace + entry.address if entry.kind is AddressKind.RELATIVE else entry.address
        else:
            uri, expiry = address(lake, record, entry, presign if may_read(path) else None)
        results.append(  # as `object_stats`, without a call for each of a thousand
            objects.ObjectStats(
                path=path,
                physical_address=uri,
                physical_address_expiry=UNSET if expiry is None else expiry,
                checksum=entry.checksum,
                size_bytes=entry.size,
                mtime=entry.mtime,
                metadata=entry.metadata if with_metadata else UNSET,
                content_type=entry.content_type or UNSET,
            )
        )
    last = results[-1].path if results else ""
    return objects.ObjectStatsList(page_of(len(results), last=last, has_more=page.has_more), results)


def address(lake: Lake, record: Repository, entry: Entry, presign: Presign | None) -> tuple[str, int | None]:
    """An entry's physical address, or a URL to read it with and when it expires. Raises InvalidArgument."""
    if presign is None:
        return addresses.absolute(lake, record, entry), None
    store, location = addresses.locate(lake, record, entry)
    url = addresses.presigned_location(lake, store, location, method="GET", endpoint=presign.endpoint)
    return url, lake.now + lake.presign_seconds


def staging_location(record: StagingLocation) -> staging.StagingLocation:
    return staging.StagingLocation(
        physical_address=record.physical_address,
        token=record.token,
        presigned_url=record.presigned_url or UNSET,
        presigned_url_expiry=UNSET if record.expires is None else record.expires,
    )


def query(wire: DiffQuery | objects.ListObjectsQuery) -> Query:
    """Which page of a listing is wanted. Raises InvalidPath."""
    return Query(
        prefix=parse_prefix(wire.prefix),
        after=parse_prefix(wire.after, what="after"),
        delimiter=parse_prefix(wire.delimiter, what="delimiter"),
        amount=wire.limit,
    )


def diff_list(page: Page[Change], *, removed_size: bool, right_stats: bool = False) -> diffs.DiffList:
    """`removed_size`: say how large removed objects were (between refs), else 0."""
    results = [_diff(change, removed_size=removed_size, right_stats=right_stats) for change in page.items]
    last = results[-1].path if results else ""
    return diffs.DiffList(page_of(len(results), last=last, has_more=page.has_more), results)


def _diff(change: Change, *, removed_size: bool, right_stats: bool) -> diffs.Diff:
    if change.kind is ChangeKind.PREFIX:
        return diffs.Diff(type="prefix_changed", path=text(change.path), path_type="common_prefix")
    right = change.right
    shown = right or (change.left if removed_size else None)
    stat = (
        diffs.DiffObjectStat(
            checksum=right.checksum, mtime=right.mtime, content_type=right.content_type, metadata=right.metadata
        )
        if right_stats and right is not None
        else UNSET
    )
    return diffs.Diff(
        type=change.kind.value,  # type: ignore[arg-type]
        path=text(change.path),
        path_type="object",
        size_bytes=0 if shown is None else shown.size,
        right=stat,
    )


def presign_for(call: Call[Any, Any], *, wanted: bool) -> Presign | None:
    """The wish for presigned URLs, when there is one."""
    return Presign(call.endpoint) if wanted else None
