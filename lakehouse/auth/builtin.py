# SPDX-License-Identifier: Apache-2.0
"""The policies and groups that every installation begins with.

They are made once. From then on they are like any others: who deletes or changes them has reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lakehouse.core.errors import AlreadyExists
from lakehouse.core.records import Effect, PolicyStatement
from lakehouse.meta import groups, installation, policies

if TYPE_CHECKING:
    from lakehouse.db.port import Database

SEEDED = "rbac"
"""Key of the installation: set when the built-in groups were made."""
ADMINS = "Admins"


def _allow(*actions: str, resource: str = "*") -> tuple[PolicyStatement, ...]:
    return (PolicyStatement(Effect.ALLOW, actions, resource),)


POLICIES: Final[dict[str, tuple[PolicyStatement, ...]]] = {
    "FSFullAccess": _allow("fs:*"),
    "FSReadWriteAll": _allow(
        "fs:Read*",
        "fs:List*",
        "fs:WriteObject",
        "fs:DeleteObject",
        "fs:RevertBranch",
        "fs:CreateBranch",
        "fs:DeleteBranch",
        "fs:CreateTag",
        "fs:DeleteTag",
        "fs:CreateCommit",
    ),
    "FSReadAll": _allow("fs:Read*", "fs:List*"),
    "RepoManagementFullAccess": _allow("ci:*", "retention:*", "branches:*", "fs:ReadConfig"),
    "RepoManagementReadAll": _allow("ci:Read*", "retention:Get*", "branches:Get*", "fs:ReadConfig"),
    "PRReadWriteAll": _allow("pr:*"),
    "PRReadAll": _allow("pr:Read*", "pr:List*"),
    "CatalogReadAll": _allow("catalog:List*", "catalog:Get*", "catalog:Read*"),
    "CatalogReadWriteAll": _allow("catalog:*"),
    "AuthFullAccess": _allow("auth:*"),
    "AuthManageOwnCredentials": _allow(
        "auth:CreateCredentials",
        "auth:DeleteCredentials",
        "auth:ListCredentials",
        "auth:ReadCredentials",
        resource="arn:lakefs:auth:::user/${user}",
    ),
}
GROUPS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    ADMINS: (
        "may do everything",
        (
            "FSFullAccess",
            "AuthFullAccess",
            "RepoManagementFullAccess",
            "PRReadWriteAll",
            "CatalogReadWriteAll",
        ),
    ),
    "SuperUsers": (
        "may do everything with data, and nothing with users",
        (
            "FSFullAccess",
            "AuthManageOwnCredentials",
            "RepoManagementReadAll",
            "PRReadWriteAll",
            "CatalogReadWriteAll",
        ),
    ),
    "Developers": (
        "read and write objects, branches, commits and tags of every repository",
        (
            "FSReadWriteAll",
            "AuthManageOwnCredentials",
            "RepoManagementReadAll",
            "PRReadWriteAll",
            "CatalogReadWriteAll",
        ),
    ),
    "Viewers": (
        "read everything in every repository",
        ("FSReadAll", "AuthManageOwnCredentials", "PRReadAll", "CatalogReadAll"),
    ),
}
ACLS: Final[dict[str, str]] = {"Read": "Viewers", "Write": "Developers", "Super": "SuperUsers", "Admin": ADMINS}
"""The one-word permissions, by the group whose policies each stands for."""


def acl_statements(permission: str) -> tuple[PolicyStatement, ...]:
    """What a one-word permission allows. Raises KeyError."""
    return tuple(one for policy in GROUPS[ACLS[permission]][1] for one in POLICIES[policy])


async def ensure(db: Database, *, now: float) -> None:
    """Make policies and groups unless that was done before. Users who are there become administrators: before there
    were groups, everybody was one. Atomic; of several processes one does it.
    """
    if await installation.find(db, SEEDED) is not None:
        return
    created = int(now)
    try:
        await db.apply(
            installation.insert(SEEDED, "internal", otherwise=AlreadyExists()),
            policies.touch(),
            policies.insert_missing(list(POLICIES.items()), created=created),
            groups.insert_missing([(name, text) for name, (text, _) in GROUPS.items()], created=created),
            policies.attach_named([(group, policy) for group, (_, names) in GROUPS.items() for policy in names]),
            groups.add_everybody(ADMINS),
        )
    except AlreadyExists:
        return
