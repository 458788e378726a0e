# SPDX-License-Identifier: Apache-2.0
"""From errors to answers of the storage interface: plain text, which its client makes the message of its exception.

Invariant: what will fail again is never answered with 500, 502, 503 or 504, which that client repeats for seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lakehouse.asgi.ranges import unsatisfied_range
from lakehouse.asgi.responses import text_response
from lakehouse.core import errors
from lakehouse.core.errors import LakehouseError, RangeNotSatisfiable
from lakehouse.wire.errors import ERROR_HEADER

if TYPE_CHECKING:
    from lakehouse.asgi.responses import Response
    from lakehouse.wire.operation import Operation

STATUSES: Final[dict[type[LakehouseError], int]] = {
    errors.InvalidArgument: 400,
    errors.Unauthenticated: 401,
    errors.PermissionDenied: 403,
    errors.NotFound: 404,
    errors.AlreadyExists: 409,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.FailedPrecondition: 412,
    errors.RangeNotSatisfiable: 416,
    errors.Exhausted: 429,
    errors.Unsupported: 501,
    errors.Unavailable: 503,
    errors.StorageFull: 507,
    errors.DataDamaged: 410,
}
HIDDEN: Final = 500
RETRY_AFTER: Final = b"1"
_CODE = ERROR_HEADER.lower().encode()


def status_of(kind: type[LakehouseError]) -> int:
    """The HTTP status of an error's class: 500 for one that has no kind."""
    return next((STATUSES[ancestor] for ancestor in kind.__mro__ if ancestor in STATUSES), HIDDEN)


def error_response(error: LakehouseError, operation: Operation | None) -> Response:
    """The answer to a request that failed with `error`. A connection whose body went wrong is not used again."""
    status = status_of(type(error))
    response = text_response(status, error.message)
    response.headers.append((_CODE, error.code.encode()))
    if status == 401:
        response.headers.append((b"www-authenticate", b'Bearer realm="lakehouse"'))
    if status in {429, 503}:
        response.headers.append((b"retry-after", RETRY_AFTER))
    if isinstance(error, errors.IncompleteBody):
        response.headers.append((b"connection", b"close"))
    if isinstance(error, RangeNotSatisfiable) and error.size is not None:
        response.headers.append((b"content-range", unsatisfied_range(error.size)))
    return response
