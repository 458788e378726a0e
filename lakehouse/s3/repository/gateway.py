# SPDX-License-Identifier: Apache-2.0
"""What operations on repositories work with, and where in a repository a key points."""

from __future__ import annotations

from typing import Literal

import msgspec

from lakehouse.asgi.origin import Origin
from lakehouse.auth.checker import Checker
from lakehouse.core import marks
from lakehouse.core.errors import RepositoryInDeletion, RepositoryNotFound, Unauthenticated
from lakehouse.core.ids import EntryPath, RepositoryName
from lakehouse.core.records import User
from lakehouse.objects.address import MAX_KEY
from lakehouse.s3.errors import S3Error
from lakehouse.s3.request import S3Request
from lakehouse.versioning import resolve
from lakehouse.versioning.lake import Lake

NewBuckets = Literal["off", "plain", "branches"]
"""What CreateBucket makes of a new name."""


class Gateway(msgspec.Struct, frozen=True, eq=False):
    """The engine, who may use it, and how callers reach the server."""

    lake: Lake
    checker: Checker
    origin: Origin
    region: str
    new_buckets: NewBuckets = "off"
    across_branches: bool = False
    """Whether a list without a delimiter, and without a branch in its prefix, shows the objects of all branches."""


class Keys(msgspec.Struct, frozen=True):
    """How a repository's keys are made: `branch/path`, or the path alone where all of them mean the branch `only`."""

    only: str | None = None

    def split(self, key: str) -> tuple[str, str]:
        """Ref and path of a key."""
        return split_key(key) if self.only is None else (self.only, key)

    def base(self, ref: str) -> str:
        """What stands before a path of `ref` in a key."""
        return f"{ref}/" if self.only is None else ""


class Asked(msgspec.Struct, frozen=True, eq=False):
    """A request on a repository, and who sent it. `ref` and `path` are those of its key; the path may be empty."""

    request: S3Request
    user: User | None
    repository: RepositoryName | str
    ref: str
    path: str
    keys: Keys = Keys()
    public: bool = False
    """Whether nobody in particular may read too."""

    @property
    def entry_path(self) -> EntryPath:
        """The path in bytes."""
        return entry_path(self.path)

    @property
    def stored_key(self) -> str:
        """`branch/path`, as uploads in parts keep it whatever the repository's keys are made of."""
        return self.request.key if self.keys.only is None else f"{self.ref}/{self.path}"

    def at(self, ref: str, path: str) -> Asked:
        """The same request on another place of the repository."""
        return Asked(self.request, self.user, self.repository, ref, path, self.keys, self.public)


async def ask(gateway: Gateway, request: S3Request, user: User | None, *, repository: str, key: str) -> Asked:
    """What a request on `key` of a repository asks for. A repository that is not there has keys of the common form:
    who may know of it is judged later.
    """
    keys, public = Keys(), False
    if repository.isprintable():
        try:
            found = await resolve.repository(gateway.lake, repository)
        except (RepositoryNotFound, RepositoryInDeletion):
            pass
        else:
            keys = Keys(found.default_branch) if marks.is_plain(found) else keys
            public = marks.is_public(found)
    ref, path = keys.split(key)
    return Asked(request, user, repository, ref, path, keys, public)


def split_key(key: str) -> tuple[str, str]:
    """Ref and path of a key that begins with a ref."""
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


def allow_object(gateway: Gateway, asked: Asked, action: str) -> None:
    """As `allow`, on the object that the request names."""
    if asked.user is None and asked.public and action == "fs:ReadObject":
        return
    allow(gateway, asked, action, f"object/{asked.path}")
