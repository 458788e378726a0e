# SPDX-License-Identifier: Apache-2.0
"""Branch protection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.protection import (
    CREATE_BRANCH_PROTECTION_RULE_PREFLIGHT,
    GET_BRANCH_PROTECTION_RULES,
    INTERNAL_CREATE_BRANCH_PROTECTION_RULE,
    INTERNAL_DELETE_BRANCH_PROTECTION_RULE,
    INTERNAL_GET_BRANCH_PROTECTION_RULES,
    SET_BRANCH_PROTECTION_RULES,
    BranchProtectionRule,
    BranchProtectionRuleDeletion,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.sdk._async.transport import Transport


class Protection:
    """Rules that keep branches from being written to directly."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get_branch_protection_rules(self, repository: str) -> list[BranchProtectionRule]:
        """The rules."""
        path = {"repository": repository}
        return await self._transport.call(GET_BRANCH_PROTECTION_RULES, list[BranchProtectionRule], path)

    async def set_branch_protection_rules(
        self, repository: str, patterns: Sequence[str], *, if_match: str | None = None
    ) -> None:
        """Replace the rules by globs. `if_match`: only if this is still their version ("": only if there are none).

        Raises PreconditionFailed.
        """
        body = [BranchProtectionRule(pattern) for pattern in patterns]
        headers = {} if if_match is None else {"if-match": if_match}
        path = {"repository": repository}
        await self._transport.send(SET_BRANCH_PROTECTION_RULES, path, body=body, headers=headers)

    async def create_branch_protection_rule_preflight(self, repository: str) -> None:
        """Return when rules may be set. Raises InsufficientPermissions."""
        await self._transport.send(CREATE_BRANCH_PROTECTION_RULE_PREFLIGHT, {"repository": repository})

    async def internal_get_branch_protection_rules(self, repository: str) -> list[BranchProtectionRule]:
        """The rules, by the older operation."""
        path = {"repository": repository}
        return await self._transport.call(INTERNAL_GET_BRANCH_PROTECTION_RULES, list[BranchProtectionRule], path)

    async def internal_create_branch_protection_rule(self, repository: str, pattern: str) -> None:
        """Add one rule."""
        body = BranchProtectionRule(pattern)
        await self._transport.send(INTERNAL_CREATE_BRANCH_PROTECTION_RULE, {"repository": repository}, body=body)

    async def internal_delete_branch_protection_rule(self, repository: str, pattern: str) -> None:
        """Remove one rule. Raises NotFound."""
        body = BranchProtectionRuleDeletion(pattern)
        await self._transport.send(INTERNAL_DELETE_BRANCH_PROTECTION_RULE, {"repository": repository}, body=body)
