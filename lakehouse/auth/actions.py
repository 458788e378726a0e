# SPDX-License-Identifier: Apache-2.0
"""Every action that a policy can name, and what it allows. The reference page is made of this."""

from __future__ import annotations

from typing import Final

_CATALOG = "reserved for the tables of a catalog"

ACTIONS: Final[dict[str, dict[str, str]]] = {
    "fs": {
        "ReadRepository": "see a repository and its metadata",
        "CreateRepository": "create a repository",
        "UpdateRepository": "change a repository's metadata",
        "AttachStorageNamespace": "put a repository into a storage namespace",
        "ImportFromStorage": "link or import objects from this address",
        "ImportCancel": "cancel an import",
        "DeleteRepository": "delete a repository",
        "ListRepositories": "see that a repository is there",
        "ReadObject": "read an object",
        "WriteObject": "write an object",
        "DeleteObject": "delete an object",
        "ListObjects": "list objects, compare refs",
        "CreateCommit": "commit, merge into a branch, cherry-pick",
        "ReadCommit": "see a commit",
        "ListCommits": "find commits",
        "CreateBranch": "create a branch",
        "DeleteBranch": "delete a branch",
        "ReadBranch": "see a branch and its history",
        "RevertBranch": "reset or revert a branch",
        "ListBranches": "list branches",
        "CreateTag": "create a tag",
        "DeleteTag": "delete a tag",
        "ReadTag": "see a tag",
        "ListTags": "list tags",
        "ReadConfig": "see what the store can do",
        "UsePhysicalAddresses": "sign requests on the embedded store's own buckets with one's own key, on `*`",
    },
    "auth": {
        "ReadUser": "see a user, with groups and policies",
        "CreateUser": "create a user",
        "DeleteUser": "delete a user",
        "ListUsers": "list users",
        "ReadGroup": "see a group, with members and policies",
        "CreateGroup": "create a group",
        "DeleteGroup": "delete a group",
        "ListGroups": "list groups",
        "AddGroupMember": "add members",
        "RemoveGroupMember": "remove members",
        "ReadPolicy": "see a policy",
        "CreatePolicy": "create a policy",
        "UpdatePolicy": "change a policy",
        "DeletePolicy": "delete a policy",
        "ListPolicies": "list policies",
        "AttachPolicy": "give a policy to a user or group",
        "DetachPolicy": "take a policy from a user or group",
        "ReadCredentials": "see an access key, without its secret",
        "CreateCredentials": "make a key pair for a user",
        "DeleteCredentials": "void a key pair, revoke sessions",
        "ListCredentials": "list a user's access keys",
        "CreateUserExternalPrincipal": "let an external identity log in as a user",
        "DeleteUserExternalPrincipal": "no longer let it",
        "ReadExternalPrincipal": "see an external identity",
        "ReadAudit": "read the audit log",
        "ReadMetrics": "read the server's figures at `/metrics`, on `*`",
    },
    "ci": {
        "ReadAction": "see runs of hooks",
    },
    "retention": {
        "PrepareGarbageCollectionCommits": "prepare garbage collection",
        "GetGarbageCollectionRules": "see retention rules",
        "SetGarbageCollectionRules": "set retention rules",
        "PrepareGarbageCollectionUncommitted": "prepare garbage collection",
    },
    "branches": {
        "GetBranchProtectionRules": "see protection rules",
        "SetBranchProtectionRules": "set protection rules",
    },
    "pr": {
        "ReadPullRequest": "see a pull request",
        "WritePullRequest": "create, change or merge a pull request",
        "ListPullRequests": "list pull requests",
    },
    "catalog": {
        "ListNamespaces": _CATALOG,
        "GetNamespace": _CATALOG,
        "CreateNamespace": _CATALOG,
        "UpdateNamespace": _CATALOG,
        "DeleteNamespace": _CATALOG,
        "ListTables": _CATALOG,
        "ReadTable": _CATALOG,
        "CreateTable": _CATALOG,
        "UpdateTable": _CATALOG,
        "DeleteTable": _CATALOG,
        "ListViews": _CATALOG,
        "ReadView": _CATALOG,
        "CreateView": _CATALOG,
        "UpdateView": _CATALOG,
        "DeleteView": _CATALOG,
    },
}
"""Names of actions by service. `fs:UsePhysicalAddresses` (the embedded store's own buckets with one's own key, past all
permissions on objects), `auth:ReadAudit` and `auth:ReadMetrics` are ours.
"""

KNOWN: Final = frozenset(f"{service}:{name}" for service, names in ACTIONS.items() for name in names)
"""All actions as the table of operations writes them."""


def domain_of(action: str) -> str:
    """The part of the resource space that an action is about: `auth` for users and their kind, `fs` for the rest."""
    return "auth" if action.startswith("auth:") else "fs"
