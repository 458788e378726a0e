# SPDX-License-Identifier: Apache-2.0
"""Schema 8: buckets of the neuro platform, and the lasting credentials for them.

A bucket is a repository, by its id, under a name of a project; one of another store has none, but a place there and
credentials, as ciphertext under the master key `key_id`. `created` in milliseconds. `bucket_grants`: the buckets that
credentials are for, in order; the keys themselves are in `credentials`.
"""

from __future__ import annotations

NAME = "0008_buckets"

DDL = (
    """create table buckets (
        id {text} not null primary key,
        repository {int},
        org {text} not null,
        project {text} not null,
        name {text},
        owner {int} not null,
        provider {text} not null,
        created {int} not null,
        place {text} not null default '',
        secret {blob},
        key_id {text} not null default ''
    ) {clustered}""",
    "create unique index buckets_name on buckets (org, project, name)",
    "create index buckets_repository on buckets (repository)",
    """create table bucket_keys (
        id {text} not null primary key,
        owner {int} not null,
        name {text},
        read_only {int} not null,
        access_key_id {text} not null,
        created {int} not null
    ) {clustered}""",
    "create unique index bucket_keys_name on bucket_keys (owner, name)",
    """create table bucket_grants (
        keys {text} not null,
        position {int} not null,
        bucket {text} not null,
        primary key (keys, position)
    ) {clustered}""",
    "create index bucket_grants_bucket on bucket_grants (bucket)",
)
