# SPDX-License-Identifier: Apache-2.0
"""404: there is no such thing."""

from __future__ import annotations

from lakehouse.core.errors.kinds import NotFound


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


class ResourceNotFound(NotFound):
    """No such bucket, blob or credentials, as the bucket interface of the Python client has it."""


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
