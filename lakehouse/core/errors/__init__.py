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
    │   ├── BucketNotFound, ResourceNotFound, SettingNotFound, UploadNotFound, EndpointNotFound
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

from lakehouse.core.errors.conflicts import (
    AlreadySetUp,
    BranchExists,
    BucketCredentialsExist,
    BucketExists,
    CacheEntryExists,
    CommitExists,
    GroupExists,
    LostRace,
    MergeConflict,
    PolicyExists,
    PrincipalExists,
    RepositoryExists,
    RepositoryNotEmpty,
    RevertParentRequired,
    StagingMoved,
    TagExists,
    TaskCompleted,
    TaskTakenOver,
    UserExists,
)
from lakehouse.core.errors.invalid import (
    BadPullRequestStatus,
    BodyTooLarge,
    ChecksumMismatch,
    DirtyBranch,
    IncompleteBody,
    InvalidAddress,
    InvalidImportSource,
    InvalidMergeStrategy,
    InvalidName,
    InvalidPart,
    InvalidPartOrder,
    InvalidPath,
    InvalidPolicy,
    InvalidRef,
    InvalidToken,
    LinkAddressExpired,
    LinkAddressInvalid,
    MissingValue,
    NamespaceInUse,
    NoChanges,
    NoMergeBase,
    NoSuchParent,
    NotBare,
    NotInConflict,
    ParentRequired,
    PartTooSmall,
    SameBranch,
    StagingIsNotCommit,
    UnknownStorage,
)
from lakehouse.core.errors.kinds import (
    KINDS,
    AlreadyExists,
    Conflict,
    Exhausted,
    FailedPrecondition,
    Gone,
    InvalidArgument,
    LakehouseError,
    NotFound,
    PermissionDenied,
    RangeNotSatisfiable,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from lakehouse.core.errors.missing import (
    ActionRunNotFound,
    BranchNotFound,
    BucketNotFound,
    CacheEntryNotFound,
    CommitNotFound,
    CredentialsNotFound,
    EndpointNotFound,
    GroupNotFound,
    NoAcl,
    ObjectNotFound,
    PolicyNotFound,
    PrincipalNotFound,
    PullRequestNotFound,
    RepositoryNotFound,
    ResourceNotFound,
    SettingNotFound,
    StoredObjectNotFound,
    TagNotFound,
    TaskNotFound,
    UploadNotFound,
    UserNotFound,
)
from lakehouse.core.errors.refused import (
    BucketForbidden,
    DefaultBranchDeletion,
    ImportUnsupported,
    InsufficientPermissions,
    ProtectedBranch,
    ReadOnlyRepository,
    SessionExpired,
    SessionInvalid,
)
from lakehouse.core.errors.startup import BadConfiguration, DataTooNew, PortInUse, StartupError
from lakehouse.core.errors.states import (
    CollectionRefused,
    CommitExpired,
    ConditionUnsupported,
    ContentDiffers,
    DatabaseUnavailable,
    DataDamaged,
    DataMissing,
    FormatUnknown,
    HookFailed,
    InvalidAction,
    NotSetUp,
    OutcomeUnknown,
    PreconditionFailed,
    PullRequestBlocked,
    RepositoryInDeletion,
    StorageFull,
    StorageUnavailable,
)

__all__ = [
    "KINDS",
    "ActionRunNotFound",
    "AlreadyExists",
    "AlreadySetUp",
    "BadConfiguration",
    "BadPullRequestStatus",
    "BodyTooLarge",
    "BranchExists",
    "BranchNotFound",
    "BucketCredentialsExist",
    "BucketExists",
    "BucketForbidden",
    "BucketNotFound",
    "CacheEntryExists",
    "CacheEntryNotFound",
    "ChecksumMismatch",
    "CollectionRefused",
    "CommitExists",
    "CommitExpired",
    "CommitNotFound",
    "ConditionUnsupported",
    "Conflict",
    "ContentDiffers",
    "CredentialsNotFound",
    "DataDamaged",
    "DataMissing",
    "DataTooNew",
    "DatabaseUnavailable",
    "DefaultBranchDeletion",
    "DirtyBranch",
    "EndpointNotFound",
    "Exhausted",
    "FailedPrecondition",
    "FormatUnknown",
    "Gone",
    "GroupExists",
    "GroupNotFound",
    "HookFailed",
    "ImportUnsupported",
    "IncompleteBody",
    "InsufficientPermissions",
    "InvalidAction",
    "InvalidAddress",
    "InvalidArgument",
    "InvalidImportSource",
    "InvalidMergeStrategy",
    "InvalidName",
    "InvalidPart",
    "InvalidPartOrder",
    "InvalidPath",
    "InvalidPolicy",
    "InvalidRef",
    "InvalidToken",
    "LakehouseError",
    "LinkAddressExpired",
    "LinkAddressInvalid",
    "LostRace",
    "MergeConflict",
    "MissingValue",
    "NamespaceInUse",
    "NoAcl",
    "NoChanges",
    "NoMergeBase",
    "NoSuchParent",
    "NotBare",
    "NotFound",
    "NotInConflict",
    "NotSetUp",
    "ObjectNotFound",
    "OutcomeUnknown",
    "ParentRequired",
    "PartTooSmall",
    "PermissionDenied",
    "PolicyExists",
    "PolicyNotFound",
    "PortInUse",
    "PreconditionFailed",
    "PrincipalExists",
    "PrincipalNotFound",
    "ProtectedBranch",
    "PullRequestBlocked",
    "PullRequestNotFound",
    "RangeNotSatisfiable",
    "ReadOnlyRepository",
    "RepositoryExists",
    "RepositoryInDeletion",
    "RepositoryNotEmpty",
    "RepositoryNotFound",
    "ResourceNotFound",
    "RevertParentRequired",
    "SameBranch",
    "SessionExpired",
    "SessionInvalid",
    "SettingNotFound",
    "StagingIsNotCommit",
    "StagingMoved",
    "StartupError",
    "StorageFull",
    "StorageUnavailable",
    "StoredObjectNotFound",
    "TagExists",
    "TagNotFound",
    "TaskCompleted",
    "TaskNotFound",
    "TaskTakenOver",
    "Unauthenticated",
    "Unavailable",
    "UnknownStorage",
    "Unsupported",
    "UploadNotFound",
    "UserExists",
    "UserNotFound",
]
