# SPDX-License-Identifier: Apache-2.0
"""The values that travel between layers: frozen, typed, free of any surface's format."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Generic, TypeVar

import msgspec

from lakehouse.core.ids import (
    BranchId,
    BranchName,
    CommitId,
    EntryPath,
    GroupId,
    MetaRangeId,
    PolicyId,
    RepositoryId,
    RepositoryName,
    StagingToken,
    UserId,
)

T = TypeVar("T")


class RepositoryState(StrEnum):
    CREATING = "creating"
    """Its name is taken, but nobody sees it yet."""
    ACTIVE = "active"
    DELETING = "deleting"


class Repository(msgspec.Struct, frozen=True):
    """A repository. `created` in seconds."""

    id: RepositoryId
    name: RepositoryName
    storage_id: str
    storage_namespace: str
    default_branch: BranchName
    created: int
    read_only: bool = False
    state: RepositoryState = RepositoryState.ACTIVE
    metadata: dict[str, str] = {}
    settings_version: int = 0
    sweeping: int = 0
    """Grows when garbage collection begins to delete nodes, and when it has; odd in between."""


class Branch(msgspec.Struct, frozen=True):
    """A branch: a head commit, the staging area that writes go to, and sealed areas that a commit is taking.

    `sealed` is newest first. `base` is the compacted tree that stands in place of the head's, if there is one.
    `version` grows with every change of head, base or tokens; `epoch` when staged data leaves the branch.
    `root` is the tree of the head commit. Times in seconds.
    """

    id: BranchId
    name: BranchName
    commit_id: CommitId
    root: MetaRangeId
    staging_token: StagingToken
    version: int
    epoch: int
    sealed: tuple[StagingToken, ...] = ()
    base: MetaRangeId | None = None
    hidden: bool = False
    created: int = 0
    updated: int = 0

    @property
    def tree(self) -> MetaRangeId:
        """The tree under the staged rows."""
        return self.root if self.base is None else self.base


class RefKind(IntEnum):
    BRANCH = 0
    TAG = 1


class Ref(msgspec.Struct, frozen=True):
    """A branch or tag as lists show it."""

    name: str
    commit_id: CommitId
    kind: RefKind


class Commit(msgspec.Struct, frozen=True):
    """A commit. `parents` first parent first, `root` its tree, `created` in seconds; version 1 is our own."""

    id: CommitId
    parents: tuple[CommitId, ...]
    root: MetaRangeId
    committer: str
    message: str
    created: int
    metadata: dict[str, str]
    generation: int
    version: int = 1


class AddressKind(IntEnum):
    """Where an entry's bytes are: in the repository's namespace, or anywhere (a full URI)."""

    RELATIVE = 0
    FULL = 1


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An object as a tree or a staging area holds it.

    The order of the fields is the on-disk format (docs/formats/tree.md): fields are only ever appended.
    `address` is relative to the repository's namespace ("data/...") or a full URI; `size` in bytes; `checksum` as the
    store gave it (MD5 in hex for our own uploads); `mtime` in seconds; `metadata` is the user's. `parts`: of how many
    parts the object was uploaded through the S3 side; its checksum is then the MD5 of their MD5s.
    """

    address: str
    kind: AddressKind
    size: int
    checksum: str
    mtime: int
    content_type: str = ""
    metadata: dict[str, str] = {}
    store: str = ""
    parts: int = 0

    @property
    def etag(self) -> str:
        """The ETag on the S3 side, without quotes."""
        return f"{self.checksum}-{self.parts}" if self.parts else self.checksum

    @property
    def identity(self) -> tuple[object, ...]:
        """What decides whether two entries are the same object: neither address (but for external ones) nor mtime."""
        outside = (self.store, self.address) if self.kind is AddressKind.FULL else None
        return (self.size, self.checksum, self.content_type, self.metadata, outside)


class PathEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry at its path."""

    path: EntryPath
    entry: Entry


class CommonPrefix(msgspec.Struct, frozen=True, gc=False):
    """All paths that begin with `path`, rolled up in a listing."""

    path: bytes


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Part of a list: `items`, and whether more follow after the last of them."""

    items: tuple[T, ...]
    has_more: bool = False


class ChangeKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    CONFLICT = "conflict"
    PREFIX = "prefix_changed"


class Change(msgspec.Struct, frozen=True):
    """One difference. `left` is absent when added, `right` when removed; both for a rolled-up prefix."""

    kind: ChangeKind
    path: bytes
    left: Entry | None = None
    right: Entry | None = None


class PullRequestStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


class PullRequest(msgspec.Struct, frozen=True):
    """A proposal to merge branch `source` into branch `destination`. `created` and `closed` in seconds."""

    id: str
    status: PullRequestStatus
    title: str
    description: str
    author: str
    source: str
    destination: str
    created: int
    closed: int | None = None
    merged_commit: str | None = None


class Review(msgspec.Struct, frozen=True):
    """What somebody says of a pull request whose source is at `commit`. `at` in seconds."""

    reviewer: str
    verdict: str
    commit: CommitId
    comment: str
    at: int


class Check(msgspec.Struct, frozen=True):
    """What a program found of a commit. `at` in seconds."""

    name: str
    state: str
    description: str
    actor: str
    at: int


class User(msgspec.Struct, frozen=True):
    """A user; tokens issued before `valid_after` (seconds) are void.

    What follows is of one request: `peer` is the network address that it came from, where a policy asks for it, else
    ""; `session`: it was signed with short-lived keys; `scope` (JSON statements): what its key is narrowed to.
    """

    id: UserId
    name: str
    created: int
    email: str = ""
    friendly_name: str = ""
    valid_after: int = 0
    peer: str = ""
    session: bool = False
    scope: str = ""

    @property
    def committer(self) -> str:
        return self.email or self.name


class Actor(msgspec.Struct, frozen=True):
    """Who does it, and in which request: for commits, the reflog, and hooks.

    `user`: as whom hooks may ask for more; None: as nobody. `depth`: how many hooks stand between a person and this.
    """

    committer: str
    name: str
    request: str = ""
    user: User | None = None
    depth: int = 0


NOBODY = Actor("", "")


class Credentials(msgspec.Struct, frozen=True):
    """An access key pair and whose it is. Its repr does not show the secret."""

    access_key_id: str
    secret_access_key: str
    user: User
    created: int

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id!r}, user={self.user!r}, created={self.created})"


class Group(msgspec.Struct, frozen=True):
    """Users who have policies together. `created` in seconds."""

    id: GroupId
    name: str
    description: str
    created: int


class Effect(StrEnum):
    ALLOW = "allow"
    DENY = "deny"


class PolicyStatement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is allowed or denied. `resource` as it was written; `condition`: operator to key to values."""

    effect: Effect
    action: tuple[str, ...]
    resource: str
    condition: dict[str, dict[str, list[str]]] = {}


class Policy(msgspec.Struct, frozen=True):
    """A named list of statements. `created` in seconds. `acl`: the one-word permission that it stands for, or ""."""

    id: PolicyId
    name: str
    created: int
    statements: tuple[PolicyStatement, ...]
    acl: str = ""


class ExternalPrincipal(msgspec.Struct, frozen=True):
    """An identity of another system that logs in as the user named `user`. `created` in seconds."""

    name: str
    user: str
    created: int
    settings: dict[str, object] = {}
