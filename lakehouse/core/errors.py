# SPDX-License-Identifier: Apache-2.0
"""Every error of the program, by kind.

An error subclasses exactly one kind; each surface (REST, S3, command line) has one table from kind to its own status,
and names the few exceptions to it. The messages are part of the wire protocol: clients match parts of them.

    LakehouseError
    ├── InvalidArgument      400   the request can never succeed as it stands
    │   ├── InvalidName, InvalidPath, InvalidRef, InvalidAddress, InvalidToken, MissingValue, BodyTooLarge
    │   ├── LinkAddressInvalid, LinkAddressExpired
    │   ├── NoChanges, DirtyBranch, InvalidMergeStrategy, NoMergeBase, StagingIsNotCommit, NoSuchParent, ParentRequired
    │   ├── NotInConflict
    │   ├── NamespaceInUse, UnknownStorage, ChecksumMismatch, IncompleteBody
    │   ├── InvalidPart, InvalidPartOrder, PartTooSmall, InvalidPolicy
    │   ├── SameBranch, BadPullRequestStatus, InvalidImportSource, NotBare
    ├── Unauthenticated      401   who is asking is not known
    │   ├── SessionExpired, SessionInvalid
    ├── PermissionDenied     403   known, but not allowed
    │   ├── InsufficientPermissions, ProtectedBranch, ReadOnlyRepository, DefaultBranchDeletion, ImportUnsupported
    │   ├── BucketForbidden
    ├── NotFound             404
    │   ├── RepositoryNotFound, BranchNotFound, TagNotFound, CommitNotFound, ObjectNotFound, StoredObjectNotFound
    │   ├── BucketNotFound, SettingNotFound, UploadNotFound, EndpointNotFound
    │   ├── UserNotFound, GroupNotFound, PolicyNotFound, CredentialsNotFound, PrincipalNotFound, NoAcl
    │   ├── PullRequestNotFound, TaskNotFound, ActionRunNotFound, CacheEntryNotFound
    ├── AlreadyExists        409
    │   ├── RepositoryExists, BranchExists, TagExists, CommitExists, AlreadySetUp
    │   ├── UserExists, GroupExists, PolicyExists, PrincipalExists, CacheEntryExists
    │   ├── BucketExists, BucketCredentialsExist
    ├── Conflict             409
    │   ├── MergeConflict, StagingMoved, RevertParentRequired, LostRace, TaskCompleted, TaskTakenOver
    │   ├── RepositoryNotEmpty
    ├── Gone                 410   it was there
    │   ├── DataMissing, RepositoryInDeletion, CommitExpired
    ├── FailedPrecondition   412
    │   ├── CollectionRefused, PullRequestBlocked
    │   ├── PreconditionFailed, NotSetUp, ContentDiffers, HookFailed, InvalidAction
    ├── RangeNotSatisfiable  416
    ├── Exhausted            429
    ├── Unsupported          501
    │   ├── ConditionUnsupported, FormatUnknown
    └── Unavailable          503   try again: a store or the database cannot be used now
        ├── StorageFull, DatabaseUnavailable, OutcomeUnknown, StorageUnavailable, DataDamaged

    StartupError                   the server cannot start: said on the command line, never on a request
        ├── DataTooNew, PortInUse, BadConfiguration

What is none of these is a bug: 500, logged with its request id, its message hidden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from typing import Self

    from lakehouse.core.records import StagingLocation


class LakehouseError(Exception):
    """Root of the tree. `code` is stable and is what SDKs rebuild the class from."""

    code: ClassVar[str] = "internal"
    default: ClassVar[str] = "internal error"

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")

    def __init__(self, message: str | None = None) -> None:
        super().__init__(self.default if message is None else message)

    @property
    def message(self) -> str:
        return str(self.args[0])

    def within(self, where: str) -> Self:
        """The same error, whose message now begins with where it happened: which item of many."""
        self.args = (f"{where}: {self.message}", *self.args[1:])
        return self


# -- the kinds ---------------------------------------------------------------------------------------------------------


class InvalidArgument(LakehouseError):
    default = "invalid value: validation error"


class Unauthenticated(LakehouseError):
    default = "error authenticating request"


class PermissionDenied(LakehouseError):
    default = "forbidden"


class NotFound(LakehouseError):
    default = "not found"


class AlreadyExists(LakehouseError):
    default = "not unique"


class Conflict(LakehouseError):
    default = "conflict found"


class Gone(LakehouseError):
    default = "resource expired"


class FailedPrecondition(LakehouseError):
    default = "Precondition failed"


class RangeNotSatisfiable(LakehouseError):
    """`size` is the size of the object in bytes, or None when the range itself could not be read."""

    default = "Requested Range Not Satisfiable"

    def __init__(self, message: str | None = None, *, size: int | None = None) -> None:
        super().__init__(message)
        self.size = size


class Exhausted(LakehouseError):
    default = "Too many attempts, try again later"


class Unsupported(LakehouseError):
    default = "Not Implemented"


class Unavailable(LakehouseError):
    default = "Throughput exceeded. Slow down and retry"


KINDS: tuple[type[LakehouseError], ...] = (
    InvalidArgument,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    AlreadyExists,
    Conflict,
    Gone,
    FailedPrecondition,
    RangeNotSatisfiable,
    Exhausted,
    Unsupported,
    Unavailable,
)


# -- 400 ---------------------------------------------------------------------------------------------------------------


class InvalidName(InvalidArgument):
    """A repository, branch, tag or user name that the rules do not allow."""


class InvalidPath(InvalidArgument):
    """An object path that is empty, longer than 1,024 bytes or not UTF-8."""


class InvalidRef(InvalidArgument):
    default = "invalid ref: invalid value: validation error"


class InvalidAddress(InvalidArgument):
    default = "invalid address"


class InvalidToken(InvalidArgument):
    """A staging token that this server did not sign, or that belongs to another branch."""

    default = "staging token: link address invalid"


class MissingValue(InvalidArgument):
    """A required value is absent."""


class BodyTooLarge(InvalidArgument):
    """The body, or an item of it, is larger than the limit that the message names."""


class LinkAddressInvalid(InvalidArgument):
    default = "link address invalid"


class LinkAddressExpired(InvalidArgument):
    default = "link address expired"


class NoChanges(InvalidArgument):
    default = "no changes"


class DirtyBranch(InvalidArgument):
    default = "uncommitted changes (dirty branch)"


class InvalidMergeStrategy(InvalidArgument):
    default = "invalid merge strategy"


class NotInConflict(InvalidArgument):
    """A merge was told how to settle a path that both sides did not change differently."""


class InvalidPolicy(InvalidArgument):
    """A policy with an action, resource or condition that means nothing here; the message says which."""


class NoMergeBase(InvalidArgument):
    default = "no merge base"


class StagingIsNotCommit(InvalidArgument):
    default = "reference to staging area with $ is not a commit"


class NoSuchParent(InvalidArgument):
    default = "given commit does not have the given parent number"


class ParentRequired(InvalidArgument):
    default = "must specify 1-based parent number for cherry-picking merge commit"


class NamespaceInUse(InvalidArgument):
    """Another repository, alive or deleted, has its data in or around this storage namespace."""


class UnknownStorage(InvalidArgument):
    """The storage id or the address names a store that this server does not have."""


class ChecksumMismatch(InvalidArgument):
    """The bytes that came are not the bytes that were announced. Nothing was stored."""


class IncompleteBody(InvalidArgument):
    default = "the request body is shorter or longer than was declared; nothing was stored"


class InvalidPart(InvalidArgument):
    """A part that completes an upload was never uploaded, or its ETag is another one."""


class InvalidPartOrder(InvalidArgument):
    default = "the parts must be listed in ascending order of their numbers, each once"


class PartTooSmall(InvalidArgument):
    default = "every part but the last one must have at least 5 MiB"


class SameBranch(InvalidArgument):
    default = "source and destination of a pull request are the same branch"


class BadPullRequestStatus(InvalidArgument):
    default = "bad pull request status: it is not open"


class NotBare(InvalidArgument):
    default = "can only restore into a bare repository"


class InvalidImportSource(InvalidArgument):
    default = "invalid import source"


# -- 403 ---------------------------------------------------------------------------------------------------------------


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


# -- 404 ---------------------------------------------------------------------------------------------------------------


class RepositoryNotFound(NotFound):
    default = "repository not found"


class BranchNotFound(NotFound):
    default = "branch not found"


class TagNotFound(NotFound):
    default = "tag not found"


class CommitNotFound(NotFound):
    default = "commit not found"


class ObjectNotFound(NotFound):
    """No entry at this path of this ref."""


class StoredObjectNotFound(NotFound):
    """The object store has nothing at this address."""


class BucketNotFound(NotFound):
    default = "The specified bucket does not exist"


class UploadNotFound(NotFound):
    default = "the multipart upload does not exist; it may have been completed or aborted"


class SettingNotFound(NotFound):
    """The setting was never made, or was deleted."""


class UserNotFound(NotFound):
    default = "user not found"


class GroupNotFound(NotFound):
    default = "group not found"


class PolicyNotFound(NotFound):
    default = "policy not found"


class CredentialsNotFound(NotFound):
    default = "credentials not found"


class PrincipalNotFound(NotFound):
    default = "external principal not found"


class NoAcl(NotFound):
    """The group has policies that no one-word permission stands for; the body says `no_acl`."""

    default = "the group's policies are no ACL: not found"


class PullRequestNotFound(NotFound):
    default = "pull request not found"


class TaskNotFound(NotFound):
    default = "task not found: not found"


class ActionRunNotFound(NotFound):
    default = "action run not found: not found"


class CacheEntryNotFound(NotFound):
    """A miss: no entry has this key, it is too old, or what it points to is gone."""

    default = "no cache entry has this key: not found"


class EndpointNotFound(NotFound):
    """No operation has this path."""

    default = "invalid API endpoint"


# -- 409 ---------------------------------------------------------------------------------------------------------------


class RepositoryExists(AlreadyExists):
    default = "error creating repository: not unique"


class BranchExists(AlreadyExists):
    default = "branch already exists: not unique"


class TagExists(AlreadyExists):
    default = "tag already exists: not unique"


class CommitExists(AlreadyExists):
    default = "commit already exists: not unique"


class UserExists(AlreadyExists):
    default = "user already exists: not unique"


class GroupExists(AlreadyExists):
    default = "group already exists: not unique"


class PolicyExists(AlreadyExists):
    default = "policy already exists: not unique"


class PrincipalExists(AlreadyExists):
    default = "external principal already exists: not unique"


class CacheEntryExists(AlreadyExists):
    default = "a cache entry of this key is there and has not expired: overwrite it: not unique"


class BucketExists(AlreadyExists):
    default = "there is a bucket of this name in this project already"


class BucketCredentialsExist(AlreadyExists):
    default = "you have credentials of this name already"


class AlreadySetUp(AlreadyExists):
    default = "lakeFS already initialized"


class MergeConflict(Conflict):
    """Both sides changed the same paths in different ways."""


class RevertParentRequired(Conflict):
    default = "must specify 1-based parent number for reverting merge commit"


class LostRace(Conflict):
    """A guarded statement found the branch changed. Never leaves the engine: the operation runs again."""

    default = "the branch changed meanwhile"


class RepositoryNotEmpty(Conflict):
    default = "it is not empty: delete what it holds first"


class TaskCompleted(Conflict):
    default = "the task has ended already: conflict found"


class TaskTakenOver(Conflict):
    """A task was canceled, or another process works at it. Never leaves the engine: the work ends."""

    default = "the task is no longer ours"


class StagingMoved(Conflict):
    """A commit has taken the staging area that the link's token names; `location` is where to go on."""

    default = (
        "the staging token is no longer valid: upload to the new address, or link the first one with the new token"
    )

    def __init__(self, location: StagingLocation | None = None, message: str | None = None) -> None:
        super().__init__(message)
        self.location = location


# -- 410, 412, 501, 503 ------------------------------------------------------------------------------------------------


class DataMissing(Gone):
    default = "No data"


class RepositoryInDeletion(Gone):
    default = "repository in deletion"


class CommitExpired(Gone):
    default = "the commit is older than the retention rules keep: its objects may be gone: resource expired"


class CollectionRefused(FailedPrecondition):
    """Garbage cannot be collected in this repository, or not now. The message says why. Nothing was deleted."""


class PullRequestBlocked(FailedPrecondition):
    """The merge rules ask for approvals or checks that are not there. The message says which."""


class PreconditionFailed(FailedPrecondition):
    """If-Match, If-None-Match or another condition of the request does not hold."""


class ContentDiffers(FailedPrecondition):
    default = "the object is write-once and holds other bytes"


class HookFailed(FailedPrecondition):
    """A hook of the repository did not agree to the operation. Nothing was changed; the message names run and hook."""


class InvalidAction(FailedPrecondition):
    """A hook file cannot be understood, so that the operation it may be about does not go on. REST answers 500."""


class NotSetUp(FailedPrecondition):
    default = "lakeFS is not initialized: create the first user with `lakehouse setup` or POST /setup_lakefs"


class ConditionUnsupported(Unsupported):
    """A condition that the wire protocol does not know."""


class FormatUnknown(Unsupported):
    """Stored bytes of a format version, codec or boundary table that this program does not know: upgrade it."""


class StorageFull(Unavailable):
    default = "the disk is full: nothing was stored; free some space and try again"


class DatabaseUnavailable(Unavailable):
    default = "the metadata database cannot be written now; nothing was stored, try again"


class OutcomeUnknown(DatabaseUnavailable):
    default = (
        "the connection to the metadata database was lost at the last moment: whether the change was stored is not "
        "known; look before you try again"
    )


class StorageUnavailable(Unavailable):
    default = "the object store cannot be reached now; try again"


class DataDamaged(Unavailable):
    """A node, entry or commit record in the object store is missing or is not what was written. The message says which
    and what to do.
    """


# -- at the start ------------------------------------------------------------------------------------------------------


class StartupError(Exception):
    """The server cannot start; the message says why and what to do."""


class DataTooNew(StartupError):
    """The data directory or database was made by a newer version of this program."""


class PortInUse(StartupError):
    """Another process listens there."""


class BadConfiguration(StartupError):
    """A setting is unknown, malformed or contradicts another."""
