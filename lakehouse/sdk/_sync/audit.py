# SPDX-License-Identifier: Apache-2.0
"""The audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk._sync.listing import each
from lakehouse.wire.audit import (
    LIST_AUDIT_EVENTS,
    VERIFY_AUDIT_LOG,
    AuditEvent,
    AuditEventList,
    AuditQuery,
    AuditReport,
)
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakehouse.sdk._sync.transport import Transport


class Audit:
    """What was done, and by whom."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_audit_events(
        self,
        *,
        after: str = "",
        amount: int = DEFAULT_AMOUNT,
        since: str = "",
        until: str = "",
        actor: str = "",
        operation: str = "",
    ) -> AuditEventList:
        """One page of events, newest first. `since` and `until` are RFC 3339."""
        query = AuditQuery(after=after, amount=amount, since=since, until=until, actor=actor, operation=operation)
        return self._transport.call(LIST_AUDIT_EVENTS, AuditEventList, query=query)

    def each_audit_event(
        self, *, since: str = "", until: str = "", actor: str = "", operation: str = ""
    ) -> Iterator[AuditEvent]:
        """All such events, newest first."""

        def fetch(after: str) -> AuditEventList:
            return self.list_audit_events(
                after=after, amount=MAX_PER_PAGE, since=since, until=until, actor=actor, operation=operation
            )

        return each(fetch)

    def verify_audit_log(self) -> AuditReport:
        """Whether anything in the log was changed. Reads all of it."""
        return self._transport.call(VERIFY_AUDIT_LOG, AuditReport)
