# SPDX-License-Identifier: Apache-2.0
"""The audit log. These operations are ours."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import Operation, need
from lakehouse.wire.paging import DEFAULT_AMOUNT, Amount, Pagination

_READ = need("auth:ReadAudit", "*")


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which events: newest first, those after the offset `after`, of these times (RFC 3339), actor and operation."""

    after: str = ""
    amount: Amount = DEFAULT_AMOUNT
    since: str = ""
    until: str = ""
    actor: str = ""
    operation: str = ""


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done or refused. `time` in seconds; `resources` are the names in the request."""

    time: int
    actor: str
    operation: str
    status_code: int
    resources: dict[str, str]
    request_id: str
    peer: str
    session: bool | UnsetType = UNSET


class AuditEventList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[AuditEvent]


class AuditChain(msgspec.Struct, frozen=True, kw_only=True):
    """What one process has written; `head` is the hash of its last batch."""

    id: str
    batches: int
    events: int
    head: str


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """`broken` tells in words what does not fit; nothing does when the log is whole."""

    whole: bool
    broken: list[str]
    chains: list[AuditChain]


LIST_AUDIT_EVENTS = Operation(
    name="list_audit_events",
    id="listAuditEvents",
    method="GET",
    path="/auth/audit",
    tag="audit",
    summary="List what was done and refused, newest first",
    allow=_READ,
    query=AuditQuery,
    result=AuditEventList,
)
VERIFY_AUDIT_LOG = Operation(
    name="verify_audit_log",
    id="verifyAuditLog",
    method="GET",
    path="/auth/audit/verify",
    tag="audit",
    summary="Check that nothing in the audit log was changed",
    allow=_READ,
    result=AuditReport,
)

OPERATIONS = (LIST_AUDIT_EVENTS, VERIFY_AUDIT_LOG)
