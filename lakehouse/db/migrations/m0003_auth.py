# SPDX-License-Identifier: Apache-2.0
"""Schema 3: groups, policies, who has which, external principals, and the audit log.

Rows refer to users, groups and policies by ids, which are never used again. `memberships.source` tells who made a
membership: "" an administrator, else the identity provider that keeps it up to date. `policies.document` is a JSON list
of statements. The audit log is only ever appended to: each process writes a chain of batches of its own.
"""

from __future__ import annotations

NAME = "0003_auth"

DDL = (
    """create table groups (
        id {identity},
        name {text} not null unique,
        description {text} not null default '',
        created {int} not null
    ) {table}""",
    """create table memberships (
        "user" {int} not null,
        "group" {int} not null,
        source {text} not null default '',
        primary key ("user", "group")
    ) {clustered}""",
    'create index memberships_group on memberships ("group")',
    """create table policies (
        id {identity},
        name {text} not null unique,
        created {int} not null,
        document {text} not null,
        acl {text} not null default ''
    ) {table}""",
    """create table user_policies (
        "user" {int} not null,
        policy {int} not null,
        primary key ("user", policy)
    ) {clustered}""",
    "create index user_policies_policy on user_policies (policy)",
    """create table group_policies (
        "group" {int} not null,
        policy {int} not null,
        primary key ("group", policy)
    ) {clustered}""",
    "create index group_policies_policy on group_policies (policy)",
    """create table principals (
        name {text} not null primary key,
        "user" {int} not null,
        created {int} not null,
        settings {text} not null default '{{}}'
    ) {clustered}""",
    'create index principals_user on principals ("user")',
    """create table audit_batches (
        chain {text} not null,
        seq {int} not null,
        at {int} not null,
        events {int} not null,
        root {text} not null,
        hash {text} not null,
        primary key (chain, seq)
    ) {clustered}""",
    """create table audit_events (
        chain {text} not null,
        seq {int} not null,
        number {int} not null,
        at {int} not null,
        actor {text} not null,
        operation {text} not null,
        document {text} not null,
        primary key (chain, seq, number)
    ) {clustered}""",
    "create index audit_events_at on audit_events (at, chain, seq, number)",
)
