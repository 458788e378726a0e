# SPDX-License-Identifier: Apache-2.0
"""The steps from an empty database to this program's schema, oldest first. A step that was released never changes."""

from __future__ import annotations

from lakehouse.db.migrations import (
    m0001_initial,
    m0002_multipart,
    m0003_auth,
    m0004_work,
    m0005_actions,
    m0006_scoped_keys,
    m0007_cache,
    m0008_buckets,
    m0011_usage,
    m0012_staged_pages,
)
from lakehouse.db.migrations.migration import Migration

MIGRATIONS: tuple[Migration, ...] = (
    Migration(m0001_initial.NAME, m0001_initial.DDL),
    Migration(m0002_multipart.NAME, m0002_multipart.DDL),
    Migration(m0003_auth.NAME, m0003_auth.DDL),
    Migration(m0004_work.NAME, m0004_work.DDL),
    Migration(m0005_actions.NAME, m0005_actions.DDL),
    Migration(m0006_scoped_keys.NAME, m0006_scoped_keys.DDL),
    Migration(m0007_cache.NAME, m0007_cache.DDL),
    Migration(m0008_buckets.NAME, m0008_buckets.DDL),
    Migration(m0011_usage.NAME, m0011_usage.DDL),
    Migration(m0012_staged_pages.NAME, m0012_staged_pages.DDL),
)

__all__ = ["MIGRATIONS", "Migration"]
