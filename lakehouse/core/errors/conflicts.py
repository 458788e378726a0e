# SPDX-License-Identifier: Apache-2.0
"""409: it is there already, or something else came first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors.kinds import AlreadyExists, Conflict

if TYPE_CHECKING:
    from lakehouse.core.staging_location import StagingLocation


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
