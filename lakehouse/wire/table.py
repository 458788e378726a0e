# SPDX-License-Identifier: Apache-2.0
"""All operations. Invariant: names, ids and routes are unique, and an operation's tag names its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire import (
    actions,
    audit,
    auth,
    branches,
    cache,
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
    from lakehouse.wire.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *setup.OPERATIONS,
    *health.OPERATIONS,
    *auth.OPERATIONS,
    *users.OPERATIONS,
    *groups.OPERATIONS,
    *policies.OPERATIONS,
    *principals.OPERATIONS,
    *sessions.OPERATIONS,
    *audit.OPERATIONS,
    *config.OPERATIONS,
    *statistics.OPERATIONS,
    *repositories.OPERATIONS,
    *protection.OPERATIONS,
    *branches.OPERATIONS,
    *tags.OPERATIONS,
    *commits.OPERATIONS,
    *refs.OPERATIONS,
    *objects.OPERATIONS,
    *prefixes.OPERATIONS,
    *history.OPERATIONS,
    *staging.OPERATIONS,
    *multipart.OPERATIONS,
    *metadata.OPERATIONS,
    *symlinks.OPERATIONS,
    *pulls.OPERATIONS,
    *actions.OPERATIONS,
    *imports.OPERATIONS,
    *gc.OPERATIONS,
    *dumps.OPERATIONS,
    *reviews.OPERATIONS,
    *cache.OPERATIONS,
)
