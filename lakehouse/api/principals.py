# SPDX-License-Identifier: Apache-2.0
"""Handlers: external principals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.api import identities
from lakehouse.auth import principals
from lakehouse.wire.principals import ExternalPrincipal, ExternalPrincipalList

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.core import records
    from lakehouse.wire.paging import PageQuery
    from lakehouse.wire.principals import ExternalPrincipalCreation, PrincipalQuery


async def create_user_external_principal(
    services: Services, call: Call[PrincipalQuery, ExternalPrincipalCreation | None]
) -> None:
    settings = {} if call.body is None or call.body.settings is UNSET else call.body.settings
    await principals.create(services.directory, call.query.principal_id, call.path["userId"], settings=dict(settings))


async def delete_user_external_principal(services: Services, call: Call[PrincipalQuery, None]) -> None:
    await principals.delete(services.directory, call.query.principal_id, call.path["userId"])


async def list_user_external_principals(services: Services, call: Call[PageQuery, None]) -> ExternalPrincipalList:
    page = await principals.list_of_user(services.directory, call.path["userId"], identities.window(call.query))
    results = [_principal(one) for one in page.items]
    last = results[-1].id if results else ""
    return ExternalPrincipalList(identities.pagination(page, last=last), results)


async def get_external_principal(services: Services, call: Call[PrincipalQuery, None]) -> ExternalPrincipal:
    return _principal(await principals.get(services.directory, call.query.principal_id))


def _principal(record: records.ExternalPrincipal) -> ExternalPrincipal:
    return ExternalPrincipal(id=record.name, user_id=record.user, settings=record.settings or UNSET)
