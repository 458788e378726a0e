# SPDX-License-Identifier: Apache-2.0
"""What operations on repositories work with, and where in a repository a key points."""

from __future__ import annotations

from typing import Literal

import msgspec

from lakehouse.asgi.origin import Origin
from lakehouse.auth.checker import Checker
from lakehouse.core import marks
from lakehouse.core.errors import RepositoryNotFound, Unauthenticated
from lakehouse.core.ids import EntryPath, RepositoryName
from lakehouse.core.records import Repository, User
from lakehouse.meta import repositories
from lakehouse.objects.address import MAX_KEY
from lakehouse.s3.errors import S3Error
from lakehouse.s3.request import S3Request
from lakehouse.versioning.lake import Lake
from lakehouse.versioning.protection import require_active

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
    found: Repository | None = None
    """The repository as it was when the request came, also one that is being deleted; None: there is none."""

    @property
    def public(self) -> bool:
        """Whether nobody in particular may read too."""
        return self.found is not None and marks.is_public(self.found)

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
        return Asked(self.request, self.user, self.repository, ref, path, self.keys, self.found)

    def require_repository(self) -> Repository:
        """The repository. Raises RepositoryNotFound, RepositoryInDeletion."""
        if self.found is None:
            raise RepositoryNotFound
        require_active(self.found)
        return self.found


async def ask(gateway: Gateway, request: S3Request, user: User | None, *, repository: str, key: str) -> Asked:
    """What a request on `key` of a repository asks for. A repository that is not there has keys of the common form:
    who may know of it is judged later.
    """
    found = await repositories.find(gateway.lake.db, repository) if repository.isprintable() else None
    keys = Keys(found.default_branch) if found is not None and marks.is_plain(found) else Keys()
    ref, path = keys.split(key)
    return Asked(request, user, repository, ref, path, keys, found)


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
