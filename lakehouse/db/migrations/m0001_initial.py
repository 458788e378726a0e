# SPDX-License-Identifier: Apache-2.0
"""Schema 1: repositories, refs with their staging areas, commits, settings and users.

Times are seconds since 1970. Names live in one column each; everything else refers to integer ids, which are never
used again. `staged.value` is an encoded entry; empty, it is a tombstone. A `token` names a staging area; tokens in
`dropped` are no branch's any more and their rows are deleted in the background.
"""

from __future__ import annotations

NAME = "0001_initial"

DDL = (
    """create table repositories (
        id {identity},
        name {text} not null unique,
        storage_id {text} not null default '',
        storage_namespace {text} not null,
        default_branch {text} not null,
        created {int} not null,
        read_only {int} not null default 0,
        state {text} not null default 'active',
        metadata {text} not null default '{{}}',
        format {int} not null default 1,
        sweeping {int},
        settings_version {int} not null default 0
    ) {table}""",
    "create index repositories_storage_namespace on repositories (storage_namespace)",
    """create table refs (
        id {identity},
        repository {int} not null,
        name {text} not null,
        kind {int} not null,
        commit_id {text} not null,
        staging_token {int},
        sealed {text} not null default '',
        base {text},
        version {int} not null default 0,
        epoch {int} not null default 0,
        hidden {int} not null default 0,
        created {int} not null,
        updated {int} not null,
        unique (repository, name)
    ) {table}""",
    """create table reflog (
        branch {int} not null,
        seq {int} not null,
        at {int} not null,
        old {text} not null,
        new {text} not null,
        operation {text} not null,
        actor {text} not null default '',
        request_id {text} not null default '',
        primary key (branch, seq)
    ) {clustered}""",
    """create table commits (
        repository {int} not null,
        id {text} not null,
        parents {text} not null,
        root {text} not null,
        committer {text} not null,
        message {text} not null,
        created {int} not null,
        metadata {text} not null default '{{}}',
        generation {int} not null,
        paths {blob},
        state {text} not null default '',
        version {int} not null default 1,
        primary key (repository, id)
    ) {clustered}""",
    """create table staged (
        token {int} not null,
        path {blob} not null,
        value {blob} not null,
        primary key (token, path)
    ) {clustered}""",
    """create table dropped (
        token {int} not null primary key,
        at {int} not null
    ) {table}""",
    "create index dropped_at on dropped (at)",
    """create table settings (
        repository {int} not null,
        key {text} not null,
        value {text} not null,
        etag {text} not null,
        primary key (repository, key)
    ) {clustered}""",
    """create table users (
        id {identity},
        name {text} not null unique,
        email {text} not null default '',
        friendly_name {text} not null default '',
        created {int} not null,
        valid_after {int} not null default 0
    ) {table}""",
    """create table credentials (
        access_key_id {text} not null primary key,
        "user" {int} not null,
        secret {blob} not null,
        key_id {text} not null,
        created {int} not null
    ) {clustered}""",
    'create index credentials_user on credentials ("user")',
    """create table installation (
        key {text} not null primary key,
        value {text} not null
    ) {clustered}""",
    """create table leases (
        name {text} not null primary key,
        owner {text} not null,
        until {int} not null
    ) {clustered}""",
)
