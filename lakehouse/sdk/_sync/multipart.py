# SPDX-License-Identifier: Apache-2.0
"""Uploads in parts, each straight to the store: for objects that are too large for one request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk.requests import header_names
from lakehouse.wire.multipart import (
    ABORT_PRESIGN_MULTIPART_UPLOAD,
    COMPLETE_PRESIGN_MULTIPART_UPLOAD,
    CREATE_PRESIGN_MULTIPART_UPLOAD,
    MAX_PARTS,
    UPLOAD_PART,
    UPLOAD_PART_COPY,
    AbortPresignMultipartUpload,
    CompletePresignMultipartUpload,
    CopyPartSource,
    CreatePresignMultipartUploadQuery,
    PresignMultipartUpload,
    UploadPart,
    UploadPartCopyFrom,
    UploadPartFrom,
    UploadTo,
)
from lakehouse.wire.objects import ObjectStats, PathQuery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

    from lakehouse.sdk._sync.transport import Transport

PART = 32 * 1024 * 1024
"""Bytes of a part. Every part but the last one needs 5 MiB."""


class Multipart:
    """Uploads in parts of a branch."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_presign_multipart_upload(
        self, repository: str, branch: str, path: str, *, parts: int = 0
    ) -> PresignMultipartUpload:
        """Begin an upload; with URLs for `parts` parts, 10,000 at most. Raises Unsupported when the store cannot."""
        query = CreatePresignMultipartUploadQuery(path=path, parts=parts)
        place = {"repository": repository, "branch": branch}
        return self._transport.call(CREATE_PRESIGN_MULTIPART_UPLOAD, PresignMultipartUpload, place, query=query)

    def complete_presign_multipart_upload(
        self,
        repository: str,
        branch: str,
        path: str,
        upload_id: str,
        physical_address: str,
        parts: Sequence[UploadPart],
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "",
    ) -> ObjectStats:
        """Put the parts together and make the object an uncommitted change. It may be sent again.

        The `physical_address` of the answer is below the storage namespace. Raises InvalidPart, InvalidPartOrder,
        PartTooSmall, UploadNotFound, LinkAddressInvalid, LinkAddressExpired.
        """
        body = CompletePresignMultipartUpload(
            physical_address=physical_address,
            parts=list(parts),
            user_metadata=dict(metadata or {}),
            content_type=content_type,
        )
        place = {"repository": repository, "branch": branch, "uploadId": upload_id}
        query = PathQuery(path=path)
        return self._transport.call(COMPLETE_PRESIGN_MULTIPART_UPLOAD, ObjectStats, place, query=query, body=body)

    def abort_presign_multipart_upload(
        self, repository: str, branch: str, path: str, upload_id: str, physical_address: str
    ) -> None:
        """Give up an upload and drop its parts. Raises UploadNotFound."""
        place = {"repository": repository, "branch": branch, "uploadId": upload_id}
        body = AbortPresignMultipartUpload(physical_address=physical_address)
        self._transport.send(ABORT_PRESIGN_MULTIPART_UPLOAD, place, query=PathQuery(path=path), body=body)

    def upload_part(
        self, repository: str, branch: str, path: str, upload_id: str, part_number: int, physical_address: str
    ) -> UploadTo:
        """A URL to PUT one part to: another one, or one in place of one that has expired."""
        place = {"repository": repository, "branch": branch, "uploadId": upload_id, "partNumber": str(part_number)}
        body = UploadPartFrom(physical_address=physical_address)
        return self._transport.call(UPLOAD_PART, UploadTo, place, query=PathQuery(path=path), body=body)

    def upload_part_copy(
        self,
        repository: str,
        branch: str,
        path: str,
        upload_id: str,
        part_number: int,
        *,
        physical_address: str,
        copy_source: CopyPartSource,
    ) -> None:
        """Take a part from an object of a repository. `copy_part` also tells its ETag."""
        self.copy_part(
            repository,
            branch,
            path,
            upload_id,
            part_number,
            physical_address=physical_address,
            copy_source=copy_source,
        )

    def copy_part(
        self,
        repository: str,
        branch: str,
        path: str,
        upload_id: str,
        part_number: int,
        *,
        physical_address: str,
        copy_source: CopyPartSource,
    ) -> UploadPart:
        """Take a part from an object of a repository; what completing the upload needs to know of it.

        Raises ObjectNotFound, RangeNotSatisfiable, UploadNotFound.
        """
        place = {"repository": repository, "branch": branch, "uploadId": upload_id, "partNumber": str(part_number)}
        body = UploadPartCopyFrom(physical_address=physical_address, copy_source=copy_source)
        response = self._transport.send(UPLOAD_PART_COPY, place, query=PathQuery(path=path), body=body)
        return UploadPart(part_number=part_number, etag=header_names(response.headers).get("etag", "").strip('"'))

    def upload(
        self,
        repository: str,
        branch: str,
        path: str,
        data: BinaryIO,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        part_size: int = PART,
    ) -> ObjectStats:
        """Upload an open binary file in parts of `part_size` bytes, of which one is in memory.

        When anything fails, the upload is given up and nothing of it stays.
        """
        begun = self.create_presign_multipart_upload(repository, branch, path)
        upload, address = begun.upload_id, begun.physical_address
        try:
            parts: list[UploadPart] = []
            while (chunk := data.read(part_size)) or not parts:
                number = len(parts) + 1
                if number > MAX_PARTS:
                    raise ValueError(f"more than {MAX_PARTS} parts: use a larger part_size than {part_size}")
                where = self.upload_part(repository, branch, path, upload, number, address)
                sent = self._transport.put_presigned(
                    where.presigned_url, chunk, headers={"content-length": str(len(chunk))}, replayable=True
                )
                parts.append(UploadPart(part_number=number, etag=sent.headers.get("etag", "").strip('"')))
        except BaseException:
            self.abort_presign_multipart_upload(repository, branch, path, upload, address)
            raise
        return self.complete_presign_multipart_upload(
            repository, branch, path, upload, address, parts, metadata=metadata, content_type=content_type
        )
