# SPDX-License-Identifier: Apache-2.0
"""Handlers: reading the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.auth.audit import Event, verify
from lakehouse.core.errors import InvalidArgument
from lakehouse.meta import audit as rows
from lakehouse.wire.audit import AuditChain, AuditEvent, AuditEventList, AuditReport
from lakehouse.wire.paging import DEFAULT_AMOUNT, page_of
from lakehouse.wire.refs import parse_time

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.audit import AuditQuery

_event = msgspec.json.Decoder(Event)


async def list_audit_events(services: Services, call: Call[AuditQuery, None]) -> AuditEventList:
    query = call.query
    limit = query.amount if query.amount > 0 else DEFAULT_AMOUNT
    wanted = rows.Wanted(
        before=_key(query.after) if query.after else None,
        since=parse_time(query.since, argument="since") * 1000 if query.since else 0,
        until=parse_time(query.until, argument="until") * 1000 if query.until else 2**62,
        actor=query.actor,
        operation=query.operation,
    )
    found = await rows.page(services.lake.db, wanted, limit=limit + 1)
    shown = found[:limit]
    last = _offset(shown[-1].key) if shown else ""
    return AuditEventList(
        page_of(len(shown), last=last, has_more=len(found) > limit), [_shown(one.document) for one in shown]
    )


async def verify_audit_log(services: Services, call: Call[None, None]) -> AuditReport:
    report = await verify(services.lake.db, services.ring)
    chains = [AuditChain(id=one.name, batches=one.batches, events=one.events, head=one.head) for one in report.chains]
    return AuditReport(whole=not report.broken, broken=list(report.broken), chains=chains)


def _shown(document: str) -> AuditEvent:
    event = _event.decode(document)
    return AuditEvent(
        time=event.at // 1000,
        actor=event.actor,
        operation=event.operation,
        status_code=event.status,
        resources=event.what,
        request_id=event.request,
        peer=event.peer,
        session=True if event.session else msgspec.UNSET,
    )


def _offset(key: rows.Key) -> str:
    return f"{key.at}.{key.chain}.{key.seq}.{key.number}"


def _key(text: str) -> rows.Key:
    try:
        at, chain, seq, number = text.split(".")
        return rows.Key(int(at), chain, int(seq), int(number))
    except ValueError as error:
        raise InvalidArgument("after: not an offset of this list: invalid value: validation error") from error
