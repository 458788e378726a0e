# SPDX-License-Identifier: Apache-2.0
"""From answers back to errors: the class that the server raised is the class that the caller catches.

Our server sends the error's code in a header. Other servers of the protocol do not: for them the status decides, and
where clients always went by the text, the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.core import errors
from lakehouse.core.errors import LakehouseError
from lakehouse.core.staging_location import StagingLocation
from lakehouse.wire.errors import ERROR_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODE = ERROR_HEADER.lower()
_BY_STATUS: dict[int, type[LakehouseError]] = {
    400: errors.InvalidArgument,
    401: errors.Unauthenticated,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Gone,
    412: errors.FailedPrecondition,
    416: errors.RangeNotSatisfiable,
    429: errors.Exhausted,
    501: errors.Unsupported,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}
_BY_TEXT: tuple[tuple[int, str, type[LakehouseError]], ...] = (
    (400, "no changes", errors.NoChanges),
    (400, "dirty branch", errors.DirtyBranch),
    (400, "link address expired", errors.LinkAddressExpired),
    (400, "link address invalid", errors.LinkAddressInvalid),
    (401, "insufficient permissions", errors.InsufficientPermissions),
    (403, "protected branch", errors.ProtectedBranch),
    (403, "read-only repository", errors.ReadOnlyRepository),
    (404, "repository not found", errors.RepositoryNotFound),
    (404, "branch not found", errors.BranchNotFound),
    (404, "tag not found", errors.TagNotFound),
    (404, "commit not found", errors.CommitNotFound),
    (409, "error creating repository: not unique", errors.RepositoryExists),
    (409, "branch already exists", errors.BranchExists),
    (409, "tag already exists", errors.TagExists),
    (409, "not unique", errors.AlreadyExists),
    (412, "precondition failed", errors.PreconditionFailed),
)
_SIZE = re.compile(r"bytes \*/(\d+)")


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> LakehouseError:
    """The error that an answer stands for. `headers` by lower-case name."""
    members = _members(body)
    message = members.get("message")
    text = message if isinstance(message, str) and message else None
    kind = _classes().get(headers.get(_CODE, "")) or _guessed(status, text or "", members)
    if kind is errors.StagingMoved:
        return errors.StagingMoved(_location(members), text)
    if kind is errors.RangeNotSatisfiable:
        size = _SIZE.fullmatch(headers.get("content-range", ""))
        return errors.RangeNotSatisfiable(text, size=int(size[1]) if size else None)
    if kind is LakehouseError:
        return LakehouseError(f"status {status}: {text or body[:200].decode(errors='replace')}")
    return kind(text)


def _classes() -> dict[str, type[LakehouseError]]:
    return {
        kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LakehouseError)
    }


def _guessed(status: int, text: str, members: dict[str, Any]) -> type[LakehouseError]:
    if status == 409 and "reference" in members:
        return errors.MergeConflict
    if status == 409 and "physical_address" in members:
        return errors.StagingMoved
    for known, part, kind in _BY_TEXT:
        if known == status and part in text.lower():
            return kind
    return _BY_STATUS.get(status, LakehouseError)


def _location(members: dict[str, Any]) -> StagingLocation | None:
    address = members.get("physical_address")
    if not isinstance(address, str):
        return None
    url, expires = members.get("presigned_url"), members.get("presigned_url_expiry")
    return StagingLocation(address, str(members.get("token", "")), url, expires)


def _members(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
