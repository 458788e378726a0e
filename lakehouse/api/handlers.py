# SPDX-License-Identifier: Apache-2.0
"""Which function handles which operation: the one of the same name in the module of its tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.api import (
    actions,
    audit,
    auth,
    branches,
    commits,
    config,
    dumps,
    gc,
    groups,
    health,
    history,
    imports,
    metadata,
    multipart,
    objects,
    policies,
    prefixes,
    principals,
    protection,
    pulls,
    refs,
    repositories,
    reviews,
    sessions,
    setup,
    staging,
    statistics,
    symlinks,
    tags,
    users,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lakehouse.asgi.dispatch import Handler
    from lakehouse.wire.operation import Operation

MODULES = {
    "actions": actions,
    "audit": audit,
    "auth": auth,
    "branches": branches,
    "commits": commits,
    "config": config,
    "dumps": dumps,
    "gc": gc,
    "groups": groups,
    "health": health,
    "history": history,
    "imports": imports,
    "metadata": metadata,
    "multipart": multipart,
    "objects": objects,
    "prefixes": prefixes,
    "policies": policies,
    "principals": principals,
    "protection": protection,
    "pulls": pulls,
    "refs": refs,
    "repositories": repositories,
    "reviews": reviews,
    "sessions": sessions,
    "setup": setup,
    "staging": staging,
    "statistics": statistics,
    "symlinks": symlinks,
    "tags": tags,
    "users": users,
}


def handlers(operations: Sequence[Operation], facades: Mapping[str, object] | None = None) -> dict[str, Handler]:
    """The handlers of all operations by name. `facades`: by tag, what handles those that have no module here.

    Raises AttributeError naming the function that is missing.
    """
    rooms = {**MODULES, **(facades or {})}
    return {operation.name: getattr(rooms[operation.tag], operation.name) for operation in operations}
