# SPDX-License-Identifier: Apache-2.0
"""Objects: read, write, list, copy, delete."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lakehouse.sdk._sync.listing import each
from lakehouse.sdk._sync.sources import Source
from lakehouse.sdk.described import ObjectHead, described
from lakehouse.sdk.requests import decoded, given, header_names, metadata_headers
from lakehouse.wire.errors import ObjectErrorList
from lakehouse.wire.objects import (
    COPY_OBJECT,
    DELETE_OBJECT,
    DELETE_OBJECTS,
    GET_OBJECT,
    GET_UNDERLYING_PROPERTIES,
    HEAD_OBJECT,
    LIST_OBJECTS,
    STAGE_OBJECT,
    STAT_OBJECT,
    UPDATE_OBJECT_USER_METADATA,
    UPLOAD_OBJECT,
    UPLOAD_OBJECT_PREFLIGHT,
    CopyObjectQuery,
    DeleteObjectQuery,
    DeleteObjectsQuery,
    GetObjectQuery,
    ListObjectsQuery,
    ObjectCopyCreation,
    ObjectStageCreation,
    ObjectStats,
    ObjectStatsList,
    PathList,
    PathQuery,
    StatObjectQuery,
    UnderlyingObjectProperties,
    UpdateObjectUserMetadata,
    UploadObjectQuery,
)
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from lakehouse.sdk._sync.transport import Transport


class Objects:
    """Objects at a ref, or on a branch with its uncommitted changes.

    `byte_range` is the first and the last byte, both included.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_object(
        self,
        repository: str,
        ref: str,
        path: str,
        *,
        byte_range: tuple[int, int] | None = None,
        presign: bool = False,
    ) -> bytes:
        """An object's bytes. `presign`: fetched from the store. Raises ObjectNotFound, RangeNotSatisfiable."""
        with self.open_object(repository, ref, path, byte_range=byte_range, presign=presign) as chunks:
            return b"".join(list(chunks))

    @contextmanager
    def open_object(
        self,
        repository: str,
        ref: str,
        path: str,
        *,
        byte_range: tuple[int, int] | None = None,
        presign: bool = False,
    ) -> Iterator[Iterator[bytes]]:
        """An object's bytes as they come in."""
        with self._transport.streamed(
            GET_OBJECT,
            {"repository": repository, "ref": ref},
            query=GetObjectQuery(path=path, presign=presign),
            headers=_range_header(byte_range),
        ) as response:
            yield response.iter_bytes()

    def head_object(
        self, repository: str, ref: str, path: str, *, byte_range: tuple[int, int] | None = None
    ) -> ObjectHead:
        """Size, type, checksum and time of what `get_object` would read. Raises NotFound."""
        place = {"repository": repository, "ref": ref}
        headers = _range_header(byte_range)
        response = self._transport.send(HEAD_OBJECT, place, query=PathQuery(path=path), headers=headers)
        return described(header_names(response.headers))

    def stat_object(
        self, repository: str, ref: str, path: str, *, user_metadata: bool = True, presign: bool = False
    ) -> ObjectStats:
        """What is known of an object. Raises ObjectNotFound."""
        query = StatObjectQuery(path=path, user_metadata=user_metadata, presign=presign)
        return self._transport.call(STAT_OBJECT, ObjectStats, {"repository": repository, "ref": ref}, query=query)

    def list_objects(
        self,
        repository: str,
        ref: str,
        *,
        prefix: str = "",
        after: str = "",
        amount: int = DEFAULT_AMOUNT,
        delimiter: str = "",
        user_metadata: bool = True,
        presign: bool = False,
    ) -> ObjectStatsList:
        """One page of objects, in bytewise order of their paths."""
        query = ListObjectsQuery(
            prefix=prefix,
            after=after,
            amount=amount,
            delimiter=delimiter,
            user_metadata=user_metadata,
            presign=presign,
        )
        path = {"repository": repository, "ref": ref}
        return self._transport.call(LIST_OBJECTS, ObjectStatsList, path, query=query)

    def each_object(
        self,
        repository: str,
        ref: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        user_metadata: bool = True,
        presign: bool = False,
    ) -> Iterator[ObjectStats]:
        """All objects; with `delimiter`, prefixes in their places."""

        def fetch(after: str) -> ObjectStatsList:
            return self.list_objects(
                repository,
                ref,
                prefix=prefix,
                after=after,
                amount=MAX_PER_PAGE,
                delimiter=delimiter,
                user_metadata=user_metadata,
                presign=presign,
            )

        return each(fetch)

    def upload_object(
        self,
        repository: str,
        branch: str,
        path: str,
        data: bytes | Path | BinaryIO | Iterable[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        force: bool = False,
    ) -> ObjectStats:
        """Write an object through the server. Keys of `metadata` become lower-case; `staging.upload` keeps them.

        `if_absent`: only if nothing is there, else PreconditionFailed.
        """
        source = Source(data)
        headers = {"content-type": content_type, **source.headers, **metadata_headers(metadata)}
        response = self._transport.deliver(
            UPLOAD_OBJECT,
            {"repository": repository, "branch": branch},
            query=UploadObjectQuery(path=path, force=force),
            content=source.content,
            headers={**headers, **({"if-none-match": "*"} if if_absent else {})},
            replayable=source.replayable,
        )
        return decoded(response.content, ObjectStats)

    def stage_object(
        self,
        repository: str,
        branch: str,
        path: str,
        physical_address: str,
        *,
        checksum: str,
        size_bytes: int,
        mtime: int | None = None,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "",
        force: bool = False,
    ) -> ObjectStats:
        """Add an object that is in a store already."""
        body = ObjectStageCreation(
            physical_address=physical_address,
            checksum=checksum,
            size_bytes=size_bytes,
            mtime=given(mtime),
            metadata=dict(metadata or {}),
            content_type=content_type,
            force=force,
        )
        place = {"repository": repository, "branch": branch}
        return self._transport.call(STAGE_OBJECT, ObjectStats, place, query=PathQuery(path=path), body=body)

    def delete_object(
        self, repository: str, branch: str, path: str, *, force: bool = False, no_tombstone: bool = False
    ) -> None:
        """Delete an object; one that is absent is no error."""
        query = DeleteObjectQuery(path=path, force=force, no_tombstone=no_tombstone)
        self._transport.send(DELETE_OBJECT, {"repository": repository, "branch": branch}, query=query)

    def delete_objects(
        self,
        repository: str,
        branch: str,
        paths: Sequence[str],
        *,
        force: bool = False,
        no_tombstone: bool = False,
    ) -> ObjectErrorList:
        """Delete up to 1,000 objects; what could not be deleted comes back."""
        query = DeleteObjectsQuery(force=force, no_tombstone=no_tombstone)
        place = {"repository": repository, "branch": branch}
        body = PathList(list(paths))
        return self._transport.call(DELETE_OBJECTS, ObjectErrorList, place, query=query, body=body)

    def copy_object(
        self,
        repository: str,
        branch: str,
        dest_path: str,
        src_path: str,
        *,
        src_ref: str = "",
        force: bool = False,
    ) -> ObjectStats:
        """Copy an object within the repository, from `src_ref` or the same branch. Raises ObjectNotFound."""
        body = ObjectCopyCreation(src_path=src_path, src_ref=src_ref, force=force)
        place = {"repository": repository, "branch": branch}
        query = CopyObjectQuery(dest_path=dest_path)
        return self._transport.call(COPY_OBJECT, ObjectStats, place, query=query, body=body)

    def update_object_user_metadata(self, repository: str, branch: str, path: str, metadata: Mapping[str, str]) -> None:
        """Replace an object's user metadata. Raises ObjectNotFound."""
        place = {"repository": repository, "branch": branch}
        body = UpdateObjectUserMetadata(dict(metadata))
        self._transport.send(UPDATE_OBJECT_USER_METADATA, place, query=PathQuery(path=path), body=body)

    def get_underlying_properties(self, repository: str, ref: str, path: str) -> UnderlyingObjectProperties:
        """What the store says of an object."""
        place = {"repository": repository, "ref": ref}
        query = PathQuery(path=path)
        return self._transport.call(GET_UNDERLYING_PROPERTIES, UnderlyingObjectProperties, place, query=query)

    def upload_object_preflight(self, repository: str, branch: str, path: str) -> None:
        """Return when an object may be written there. Raises InsufficientPermissions."""
        place = {"repository": repository, "branch": branch}
        self._transport.send(UPLOAD_OBJECT_PREFLIGHT, place, query=PathQuery(path=path))


def _range_header(byte_range: tuple[int, int] | None) -> dict[str, str]:
    return {} if byte_range is None else {"range": f"bytes={byte_range[0]}-{byte_range[1]}"}
