# SPDX-License-Identifier: Apache-2.0
"""Handlers: policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.api import identities
from lakehouse.auth import policies
from lakehouse.core.errors import InvalidArgument

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.paging import PageQuery
    from lakehouse.wire.policies import Policy, PolicyList


async def list_policies(services: Services, call: Call[PageQuery, None]) -> PolicyList:
    return identities.policy_list(await policies.list_policies(services.directory, identities.window(call.query)))


async def create_policy(services: Services, call: Call[None, Policy]) -> Policy:
    body = call.body
    return identities.policy(
        await policies.create_policy(services.directory, body.id, identities.statements(body.statement))
    )


async def get_policy(services: Services, call: Call[None, None]) -> Policy:
    return identities.policy(await services.directory.policy(call.path["policyId"]))


async def update_policy(services: Services, call: Call[None, Policy]) -> Policy:
    name = call.path["policyId"]
    if call.body.id != name:
        raise InvalidArgument("policy id: another one in the body than in the path: invalid value: validation error")
    statements = identities.statements(call.body.statement)
    return identities.policy(await policies.update_policy(services.directory, name, statements))


async def delete_policy(services: Services, call: Call[None, None]) -> None:
    await policies.delete_policy(services.directory, call.path["policyId"])
