# SPDX-License-Identifier: Apache-2.0
"""From errors to the platform's answers: always an object with `error`, whose text clients show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.asgi.responses import Response, json_response
from lakehouse.core import errors
from lakehouse.core.errors import AlreadyExists, BucketForbidden, LakehouseError
from lakehouse.wire.buckets import PlatformError
from lakehouse.wire.errors import ERROR_HEADER

if TYPE_CHECKING:
    from lakehouse.wire.operation import Operation

STATUSES: dict[type[LakehouseError], int] = {
    errors.InvalidArgument: 400,
    errors.Unauthenticated: 401,
    errors.PermissionDenied: 403,
    errors.NotFound: 404,
    errors.AlreadyExists: 409,
    errors.Conflict: 409,
    errors.Gone: 404,
    errors.FailedPrecondition: 412,
    errors.RangeNotSatisfiable: 416,
    errors.Exhausted: 429,
    errors.Unsupported: 501,
    errors.Unavailable: 503,
}
"""By kind. What is gone was never there for these clients."""
_CODE = ERROR_HEADER.lower().encode()
_UNIQUE = "unique"


def status_of(error: LakehouseError) -> int:
    """The HTTP status of an error: 500 for one that has no kind."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def error_response(error: LakehouseError, operation: Operation | None) -> Response:
    """The answer to a request that failed with `error`."""
    response = json_response(status_of(error), _body(error))
    response.headers.append((_CODE, error.code.encode()))
    return response


def _body(error: LakehouseError) -> PlatformError:
    text = error.message
    if isinstance(error, AlreadyExists):
        return PlatformError(error=text, code=_UNIQUE, description=text)
    if isinstance(error, BucketForbidden) and error.action:
        return PlatformError(error=text, missing=[{"uri": error.resource, "action": error.action}])
    return PlatformError(error=text)
