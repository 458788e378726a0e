# SPDX-License-Identifier: Apache-2.0
"""External principals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.sdk.requests import given
from lakehouse.wire.paging import DEFAULT_AMOUNT, PageQuery
from lakehouse.wire.principals import (
    CREATE_USER_EXTERNAL_PRINCIPAL,
    DELETE_USER_EXTERNAL_PRINCIPAL,
    GET_EXTERNAL_PRINCIPAL,
    LIST_USER_EXTERNAL_PRINCIPALS,
    ExternalPrincipal,
    ExternalPrincipalCreation,
    ExternalPrincipalList,
    PrincipalQuery,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.sdk._sync.transport import Transport


class Principals:
    """Identities of other systems that log in as a user."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_user_external_principal(
        self, user: str, principal: str, *, settings: Mapping[str, Any] | None = None
    ) -> None:
        """Let an identity log in as a user. Raises UserNotFound, PrincipalExists."""
        body = ExternalPrincipalCreation(settings=given(None if settings is None else dict(settings)))
        query = PrincipalQuery(principal_id=principal)
        self._transport.send(CREATE_USER_EXTERNAL_PRINCIPAL, {"userId": user}, query=query, body=body)

    def delete_user_external_principal(self, user: str, principal: str) -> None:
        """No longer let an identity log in as a user. Raises UserNotFound, PrincipalNotFound."""
        query = PrincipalQuery(principal_id=principal)
        self._transport.send(DELETE_USER_EXTERNAL_PRINCIPAL, {"userId": user}, query=query)

    def list_user_external_principals(
        self, user: str, *, prefix: str = "", after: str = "", amount: int = DEFAULT_AMOUNT
    ) -> ExternalPrincipalList:
        """One page of the identities of a user. Raises UserNotFound."""
        query = PageQuery(prefix=prefix, after=after, amount=amount)
        return self._transport.call(LIST_USER_EXTERNAL_PRINCIPALS, ExternalPrincipalList, {"userId": user}, query=query)

    def get_external_principal(self, principal: str) -> ExternalPrincipal:
        """An identity, and the user that it logs in as. Raises PrincipalNotFound."""
        query = PrincipalQuery(principal_id=principal)
        return self._transport.call(GET_EXTERNAL_PRINCIPAL, ExternalPrincipal, query=query)
