# SPDX-License-Identifier: Apache-2.0
"""One-word permissions of groups (Read, Write, Super, Admin): a policy of the group's own that stands for each.

They mean what the built-in groups may do. A group with other policies has no such word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.auth.builtin import ACLS, GROUPS, acl_statements
from lakehouse.core.errors import GroupNotFound, InvalidArgument, NoAcl
from lakehouse.core.ids import parse_policy_name
from lakehouse.meta import groups, policies

if TYPE_CHECKING:
    from lakehouse.auth.directory import Directory

_PREFIX = "ACL(_-_)"


def policy_name(group: str) -> str:
    """The name of the policy that holds a group's permission."""
    return _PREFIX + group


async def get(directory: Directory, name: str) -> str:
    """A group's permission, "" when it has no policy at all. Raises GroupNotFound, NoAcl."""
    group = await directory.group(name)
    found = await policies.of_group(directory.db, group.id, limit=max(len(names) for _, names in GROUPS.values()) + 1)
    if not found:
        return ""
    if len(found) == 1 and found[0].acl:
        return found[0].acl
    names = {policy.name for policy in found}
    for permission, like in ACLS.items():
        if names == set(GROUPS[like][1]):
            return permission
    raise NoAcl


async def put(directory: Directory, name: str, permission: str) -> None:
    """Let a group have this permission and nothing else. Atomic. Raises GroupNotFound, InvalidArgument."""
    if permission not in ACLS:
        raise InvalidArgument(f"permission: invalid value: validation error (one of {', '.join(ACLS)})")
    group = await directory.group(name)
    policy = parse_policy_name(policy_name(name))
    await directory.change(
        groups.require(group.id, otherwise=GroupNotFound()),
        policies.put_acl(policy, acl_statements(permission), acl=permission, created=directory.now),
        *policies.only_of_group(group.id, policy),
    )
