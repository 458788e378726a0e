# SPDX-License-Identifier: Apache-2.0
"""Handlers: branch protection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.asgi.conditional import expected_version
from lakehouse.asgi.responses import JSON_HEADERS, Response, json_bytes
from lakehouse.core.errors import PreconditionFailed
from lakehouse.versioning import protection, resolve
from lakehouse.wire.protection import BranchProtectionRule

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.versioning.state.protection_cache import Rules
    from lakehouse.wire.protection import BranchProtectionRuleDeletion


async def get_branch_protection_rules(services: Services, call: Call[None, None]) -> Response:
    rules = await _rules(services, call.path["repository"])
    headers = [*JSON_HEADERS, (b"etag", rules.etag.encode())]
    return Response(200, headers, json_bytes([BranchProtectionRule(pattern) for pattern in rules.patterns]))


async def set_branch_protection_rules(services: Services, call: Call[None, list[BranchProtectionRule]]) -> None:
    record = await resolve.repository(services.lake, call.path["repository"])
    patterns = [rule.pattern for rule in call.body]
    await protection.set_rules(services.lake, record, patterns, if_etag=expected_version(call))


async def create_branch_protection_rule_preflight(services: Services, call: Call[None, None]) -> None:
    await resolve.repository(services.lake, call.path["repository"])


async def internal_get_branch_protection_rules(
    services: Services, call: Call[None, None]
) -> list[BranchProtectionRule]:
    rules = await _rules(services, call.path["repository"])
    return [BranchProtectionRule(pattern) for pattern in rules.patterns]


async def internal_create_branch_protection_rule(services: Services, call: Call[None, BranchProtectionRule]) -> None:
    await _change(services, call.path["repository"], lambda patterns: [*patterns, call.body.pattern])


async def internal_delete_branch_protection_rule(
    services: Services, call: Call[None, BranchProtectionRuleDeletion]
) -> Response:
    pattern = call.body.pattern
    record = await resolve.repository(services.lake, call.path["repository"])
    protection.require_not_read_only(record, force=False)
    if pattern not in (await _rules(services, call.path["repository"])).patterns:
        return Response(404)
    await _change(services, call.path["repository"], lambda patterns: [kept for kept in patterns if kept != pattern])
    return Response(204)


async def _rules(services: Services, repository: str) -> Rules:
    return await protection.get(services.lake, await resolve.repository(services.lake, repository))


async def _change(services: Services, repository: str, change: Callable[[tuple[str, ...]], list[str]]) -> None:
    while True:
        record = await resolve.repository(services.lake, repository)
        rules = await protection.get(services.lake, record)
        try:
            await protection.set_rules(services.lake, record, change(rules.patterns), if_etag=rules.etag)
        except PreconditionFailed:
            continue
        return
