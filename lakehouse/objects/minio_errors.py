# SPDX-License-Identifier: Apache-2.0
"""What an S3-compatible store and the client for it say, in our own errors."""

from __future__ import annotations

from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Protocol

from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from lakehouse.core.errors import (
    BucketNotFound,
    ChecksumMismatch,
    InvalidPart,
    InvalidPartOrder,
    PartTooSmall,
    PreconditionFailed,
    RangeNotSatisfiable,
    StorageFull,
    StorageUnavailable,
    StoredObjectNotFound,
    UploadNotFound,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakehouse.core.errors import LakehouseError
    from lakehouse.objects.port import Location

_BY_CODE: dict[str, type[LakehouseError]] = {
    "NoSuchBucket": BucketNotFound,
    "NoSuchUpload": UploadNotFound,
    "InvalidPart": InvalidPart,
    "InvalidPartOrder": InvalidPartOrder,
    "EntityTooSmall": PartTooSmall,
    "BadDigest": ChecksumMismatch,
    "PreconditionFailed": PreconditionFailed,
    "InsufficientCapacity": StorageFull,
    "QuotaExceeded": StorageFull,
    "XMinioStorageFull": StorageFull,
}


def translate(error: S3Error, location: Location) -> LakehouseError:
    """One of the store's errors as ours."""
    code = error.code or ""
    if code in ("NoSuchKey", "NoSuchVersion"):
        return StoredObjectNotFound(f"no object at {location.bucket}/{location.key}")
    if code == "InvalidRange":
        text = str(error.response.headers.get("content-range", "")) if error.response is not None else ""
        size = text.rpartition("/")[2]
        return RangeNotSatisfiable(size=int(size) if size.isdigit() else None)
    known = _BY_CODE.get(code)
    if known is not None:
        return known()
    return StorageUnavailable(f"the object store refused the request: {code} {error.message or ''}".strip())


class Body(Protocol):
    """A body that is sent; `failed` is what reading it raised."""

    failed: BaseException | None


@contextmanager
def translated(location: Location, *, but: Body | None = None) -> Iterator[None]:
    """Run calls of the client; its errors, and those of the connection, are raised as ours.

    What the body `but` itself raised passes through, also when the client wrapped it.
    """
    try:
        yield
    except S3Error as error:
        raise translate(error, location) from error
    except (MinioException, HTTPError, HTTPException, OSError) as error:
        if but is not None and but.failed is not None:
            raise but.failed from None
        raise StorageUnavailable(f"{StorageUnavailable.default} ({error})") from error
