# SPDX-License-Identifier: Apache-2.0
"""The reference page of actions, resources and what operations need, made of the list and the tables themselves.

`python -m lakehouse.api.permissions > docs/reference/permissions.md` writes it; a test holds the page to it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lakehouse.auth.actions import ACTIONS
from lakehouse.wire.operation import Access, Operation
from lakehouse.wire.per_item import PER_ITEM
from lakehouse.wire.table import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lakehouse.wire.operation import Permission

_HEAD = """\
# Actions and resources

What [policies](../howto/users.md#write-a-policy) can name. A resource is written as an ARN: `arn:lakefs:fs:::` or, for
users, groups, policies and external principals, `arn:lakefs:auth:::`, then one of

| resource | what |
|---|---|
| `repository/{repository}` | a repository |
| `repository/{repository}/branch/{branch}` | a branch |
| `repository/{repository}/tag/{tag}` | a tag |
| `repository/{repository}/object/{path}` | an object, on every branch |
| `namespace/{uri}` | a place in a store, such as `namespace/s3://bucket/folder/` |
| `user/{user}`, `group/{group}`, `policy/{policy}` | users, groups and policies by name |
| `externalPrincipal/{principal}` | an external identity |

## Actions

| action | to |
|---|---|
"""
_OPERATIONS = """
## What operations need

All that is named is needed. Braces stand for parts of the request; what is asked item by item has angle brackets.

| operation | needs |
|---|---|
"""
_WORDS = {Access.NOBODY_ASKED: "nothing", Access.AUTHENTICATED: "any known user"}


def reference_page() -> str:
    """The page."""
    actions = [
        f"| `{service}:{name}` | {what} |\n" for service, names in ACTIONS.items() for name, what in names.items()
    ]
    operations = [f"| `{operation.name}` | {_needs(operation)} |\n" for operation in OPERATIONS]
    return _HEAD + "".join(actions) + _OPERATIONS + "".join(operations)


def _needs(operation: Operation) -> str:
    if isinstance(operation.allow, Access) and operation.name not in PER_ITEM:
        return _WORDS[operation.allow]
    fixed = () if isinstance(operation.allow, Access) else operation.allow
    asked = (one for one in PER_ITEM.get(operation.name, ()) if one not in fixed)
    return ", ".join(_written((*fixed, *asked)))


def _written(permissions: Iterable[Permission]) -> list[str]:
    return [f"`{one.action}` on `{one.resource}`" for one in permissions]


if __name__ == "__main__":
    sys.stdout.write(reference_page())
