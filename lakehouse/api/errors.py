# SPDX-License-Identifier: Apache-2.0
"""From errors to REST answers: one row a kind, and the few exceptions that clients of the protocol rely on.

Invariant: every error has a status, by its own row or by its kind's; the body is `{"message": ...}` but for the two
that say where to go on, and one that adds a mark. The stable code travels in a header, so that our SDK raises the same
class again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.asgi.ranges import unsatisfied_range
from lakehouse.asgi.responses import Response, json_response
from lakehouse.core.errors import (
    AlreadyExists,
    Conflict,
    Exhausted,
    FailedPrecondition,
    Gone,
    InsufficientPermissions,
    InvalidAction,
    InvalidArgument,
    LakehouseError,
    MergeConflict,
    NoAcl,
    NotFound,
    PermissionDenied,
    RangeNotSatisfiable,
    StagingMoved,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from lakehouse.wire import staging
from lakehouse.wire.errors import ERROR_HEADER, Error
from lakehouse.wire.groups import ErrorNoACL
from lakehouse.wire.refs import MERGE_INTO_BRANCH, MergeResult

if TYPE_CHECKING:
    from lakehouse.core.staging_location import StagingLocation
    from lakehouse.wire.operation import Operation

STATUSES: dict[type[LakehouseError], int] = {
    InvalidArgument: 400,
    Unauthenticated: 401,
    PermissionDenied: 403,
    NotFound: 404,
    AlreadyExists: 409,
    Conflict: 409,
    Gone: 410,
    FailedPrecondition: 412,
    RangeNotSatisfiable: 416,
    Exhausted: 429,
    Unsupported: 501,
    Unavailable: 503,
}
OVERRIDES: dict[type[LakehouseError], int] = {InsufficientPermissions: 401, InvalidAction: 500}
HIDDEN = 500
RETRY_AFTER = b"1"

_CODE = ERROR_HEADER.lower().encode()


def status_of(error: LakehouseError | type[LakehouseError]) -> int:
    """The HTTP status of an error: 500 for one that has no kind."""
    kind = error if isinstance(error, type) else type(error)
    for ancestor in kind.__mro__:
        status = OVERRIDES.get(ancestor) or STATUSES.get(ancestor)
        if status is not None:
            return status
    return HIDDEN


def error_response(error: LakehouseError, operation: Operation | None) -> Response:
    """The answer to a request that failed with `error`."""
    status = status_of(error)
    response = json_response(status, _body(error, operation))
    response.headers.append((_CODE, error.code.encode()))
    if isinstance(error, RangeNotSatisfiable) and error.size is not None:
        response.headers.append((b"content-range", unsatisfied_range(error.size)))
    if status in {429, 503}:
        response.headers.append((b"retry-after", RETRY_AFTER))
    return response


def location_of(record: StagingLocation) -> staging.StagingLocation:
    """A staging location as it goes over the wire."""
    return staging.StagingLocation(
        physical_address=record.physical_address,
        token=record.token,
        presigned_url=UNSET if record.presigned_url is None else record.presigned_url,
        presigned_url_expiry=UNSET if record.expires is None else record.expires,
    )


def _body(error: LakehouseError, operation: Operation | None) -> object:
    if isinstance(error, StagingMoved) and error.location is not None:
        return location_of(error.location)
    if isinstance(error, MergeConflict) and operation is MERGE_INTO_BRANCH:
        return MergeResult("")
    if isinstance(error, NoAcl):
        return ErrorNoACL(message=error.message, no_acl=True)
    return Error(error.message)
