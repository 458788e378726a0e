# SPDX-License-Identifier: Apache-2.0
"""401 and 403: who is asking is not known, or not allowed."""

from __future__ import annotations

from lakehouse.core.errors.kinds import PermissionDenied, Unauthenticated


class SessionExpired(Unauthenticated):
    """The session of short-lived keys is over: its time has passed, or it was revoked."""

    default = "error authenticating request: the session token has expired"


class SessionInvalid(Unauthenticated):
    """A session token that the server did not make, or not for this access key."""

    default = "error authenticating request: the session token is not valid, or not for this access key"


class InsufficientPermissions(PermissionDenied):
    """REST answers 401 for this one, S3 403."""

    default = "insufficient permissions"


class ProtectedBranch(PermissionDenied):
    default = "cannot write to protected branch"


class ReadOnlyRepository(PermissionDenied):
    default = "read-only repository"


class DefaultBranchDeletion(PermissionDenied):
    default = "cannot delete repository default branch"


class ImportUnsupported(PermissionDenied):
    default = "import is not supported for this storage"


class BucketForbidden(PermissionDenied):
    """A bucket that the caller may not use so: `action` on `resource` is what is missing."""

    default = "you may not do this with this bucket"

    def __init__(self, message: str | None = None, *, action: str = "", resource: str = "") -> None:
        super().__init__(message)
        self.action = action
        self.resource = resource
