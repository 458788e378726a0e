# SPDX-License-Identifier: Apache-2.0
"""Schema 7: the cache of task outputs, who computes what is missing from it, and catalogued artifacts.

Times and intervals are microseconds. `scope` is organisation, project, domain and key, each behind its length, so that
no two of them can look alike; the columns beside it are for people and for eviction. `object` is the path, in the
repository of the cache, of outputs that the cache keeps itself; "" where `uri` leads elsewhere.
"""

from __future__ import annotations

NAME = "0007_cache"

DDL = (
    """create table cache_entries (
        scope {blob} not null primary key,
        org {text} not null,
        project {text} not null,
        domain {text} not null,
        key {text} not null,
        uri {text} not null,
        object {text} not null,
        metadata {text} not null,
        created {int} not null,
        updated {int} not null
    ) {clustered}""",
    "create index cache_entries_updated on cache_entries (updated)",
    """create table cache_reservations (
        scope {blob} not null primary key,
        owner {text} not null,
        heartbeat {int} not null,
        expires {int} not null
    ) {clustered}""",
    "create index cache_reservations_expires on cache_reservations (expires)",
    """create table datasets (
        id {identity},
        scope {blob} not null unique,
        org {text} not null,
        project {text} not null,
        domain {text} not null,
        name {text} not null,
        version {text} not null,
        uuid {text} not null,
        metadata {text} not null,
        partitions {text} not null,
        created {int} not null
    ) {table}""",
    """create table artifacts (
        number {identity},
        dataset {int} not null,
        id {text} not null,
        object {text} not null,
        metadata {text} not null,
        created {int} not null,
        updated {int} not null,
        unique (dataset, id)
    ) {table}""",
    "create index artifacts_id on artifacts (id)",
    """create table artifact_partitions (
        artifact {int} not null,
        key {text} not null,
        value {text} not null,
        primary key (artifact, key)
    ) {clustered}""",
    """create table artifact_tags (
        dataset {int} not null,
        name {text} not null,
        artifact {int} not null,
        primary key (dataset, name)
    ) {clustered}""",
    "create index artifact_tags_artifact on artifact_tags (artifact)",
)
