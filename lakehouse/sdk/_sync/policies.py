# SPDX-License-Identifier: Apache-2.0
"""Policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk._sync.listing import each
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE, PageQuery
from lakehouse.wire.policies import (
    CREATE_POLICY,
    DELETE_POLICY,
    GET_POLICY,
    LIST_POLICIES,
    UPDATE_POLICY,
    Policy,
    PolicyList,
    Statement,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lakehouse.sdk._sync.transport import Transport


class Policies:
    """Policies, by name."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_policies(self, *, prefix: str = "", after: str = "", amount: int = DEFAULT_AMOUNT) -> PolicyList:
        """One page of policies, in order of their names."""
        query = PageQuery(prefix=prefix, after=after, amount=amount)
        return self._transport.call(LIST_POLICIES, PolicyList, query=query)

    def each_policy(self, *, prefix: str = "") -> Iterator[Policy]:
        """All policies."""

        def fetch(after: str) -> PolicyList:
            return self.list_policies(prefix=prefix, after=after, amount=MAX_PER_PAGE)

        return each(fetch)

    def create_policy(self, policy: str, statements: Sequence[Statement]) -> Policy:
        """Create a policy that nobody has yet. Raises PolicyExists, InvalidPolicy."""
        body = Policy(id=policy, statement=list(statements))
        return self._transport.call(CREATE_POLICY, Policy, body=body)

    def get_policy(self, policy: str) -> Policy:
        """A policy and its statements. Raises PolicyNotFound."""
        return self._transport.call(GET_POLICY, Policy, {"policyId": policy})

    def update_policy(self, policy: str, statements: Sequence[Statement]) -> Policy:
        """Replace a policy's statements, for everybody who has it. Raises PolicyNotFound, InvalidPolicy."""
        body = Policy(id=policy, statement=list(statements))
        return self._transport.call(UPDATE_POLICY, Policy, {"policyId": policy}, body=body)

    def delete_policy(self, policy: str) -> None:
        """Delete a policy, and take it from everybody who has it. Raises PolicyNotFound."""
        self._transport.send(DELETE_POLICY, {"policyId": policy})
