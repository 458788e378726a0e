# SPDX-License-Identifier: Apache-2.0
"""Every action that a policy can name. A test holds the table of operations and the reference page equal to this."""

from __future__ import annotations

from typing import Final

ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "fs": (
        "ReadRepository",
        "CreateRepository",
        "UpdateRepository",
        "AttachStorageNamespace",
        "ImportFromStorage",
        "ImportCancel",
        "DeleteRepository",
        "ListRepositories",
        "ReadObject",
        "WriteObject",
        "DeleteObject",
        "ListObjects",
        "CreateCommit",
        "ReadCommit",
        "ListCommits",
        "CreateBranch",
        "DeleteBranch",
        "ReadBranch",
        "RevertBranch",
        "ListBranches",
        "CreateTag",
        "DeleteTag",
        "ReadTag",
        "ListTags",
        "ReadConfig",
        "UsePhysicalAddresses",
    ),
    "auth": (
        "ReadUser",
        "CreateUser",
        "DeleteUser",
        "ListUsers",
        "ReadGroup",
        "CreateGroup",
        "DeleteGroup",
        "ListGroups",
        "AddGroupMember",
        "RemoveGroupMember",
        "ReadPolicy",
        "CreatePolicy",
        "UpdatePolicy",
        "DeletePolicy",
        "ListPolicies",
        "AttachPolicy",
        "DetachPolicy",
        "ReadCredentials",
        "CreateCredentials",
        "DeleteCredentials",
        "ListCredentials",
        "CreateUserExternalPrincipal",
        "DeleteUserExternalPrincipal",
        "ReadExternalPrincipal",
        "ReadAudit",
    ),
    "ci": ("ReadAction",),
    "retention": (
        "PrepareGarbageCollectionCommits",
        "GetGarbageCollectionRules",
        "SetGarbageCollectionRules",
        "PrepareGarbageCollectionUncommitted",
    ),
    "branches": ("GetBranchProtectionRules", "SetBranchProtectionRules"),
    "pr": ("ReadPullRequest", "WritePullRequest", "ListPullRequests"),
    "catalog": (
        "ListNamespaces",
        "GetNamespace",
        "CreateNamespace",
        "UpdateNamespace",
        "DeleteNamespace",
        "ListTables",
        "ReadTable",
        "CreateTable",
        "UpdateTable",
        "DeleteTable",
        "ListViews",
        "ReadView",
        "CreateView",
        "UpdateView",
        "DeleteView",
    ),
}
"""Names of actions by service. `fs:UsePhysicalAddresses` (the embedded store's own buckets with one's own key, past all
permissions on objects) and `auth:ReadAudit` are ours.
"""

KNOWN: Final = frozenset(f"{service}:{name}" for service, names in ACTIONS.items() for name in names)
"""All actions as the table of operations writes them."""


def domain_of(action: str) -> str:
    """The part of the resource space that an action is about: `auth` for users and their kind, `fs` for the rest."""
    return "auth" if action.startswith("auth:") else "fs"
