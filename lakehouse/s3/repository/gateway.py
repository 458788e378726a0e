# SPDX-License-Identifier: Apache-2.0
"""What operations on repositories work with, and where in a repository a key points."""

from __future__ import annotations

import msgspec

from lakehouse.asgi.origin import Origin
from lakehouse.auth.checker import Checker
from lakehouse.core.errors import Unauthenticated
from lakehouse.core.ids import EntryPath, RepositoryName
from lakehouse.core.records import User
from lakehouse.objects.address import MAX_KEY
from lakehouse.s3.errors import S3Error
from lakehouse.s3.request import S3Request
from lakehouse.versioning.lake import Lake


class Gateway(msgspec.Struct, frozen=True, eq=False):
    """The engine, who may use it, and how callers reach the server."""

    lake: Lake
    checker: Checker
    origin: Origin
    region: str


class Asked(msgspec.Struct, frozen=True, eq=False):
    """A request on a repository, and who sent it. `ref` and `path` are those of its key; the path may be empty."""

    request: S3Request
    user: User | None
    repository: RepositoryName | str
    ref: str
    path: str

    @property
    def entry_path(self) -> EntryPath:
        """The path in bytes."""
        return entry_path(self.path)


def split_key(key: str) -> tuple[str, str]:
    """Ref and path of a key. The one place that knows that keys begin with a ref."""
    ref, _, path = key.partition("/")
    return ref, path


def entry_path(path: str) -> EntryPath:
    """Raises S3Error KeyTooLongError."""
    raw = path.encode()
    if len(raw) > MAX_KEY:
        raise S3Error("KeyTooLongError", f"the path has {len(raw)} bytes, at most {MAX_KEY} are allowed")
    return EntryPath(raw)


def allow(gateway: Gateway, asked: Asked, action: str, resource: str = "") -> User:
    """The user, if the action is allowed on the repository, or on what of it is named. Raises S3Error AccessDenied,
    InsufficientPermissions.
    """
    where = f"repository/{asked.repository}" + (f"/{resource}" if resource else "")
    try:
        return gateway.checker.authorize(asked.user, action, where)
    except Unauthenticated as error:
        raise S3Error("AccessDenied", "Access Denied.") from error


def allow_object(gateway: Gateway, asked: Asked, action: str) -> User:
    """As `allow`, on the object that the request names."""
    return allow(gateway, asked, action, f"object/{asked.path}")
