# SPDX-License-Identifier: Apache-2.0
"""Who may do what with the cache, for the surfaces that Flyte's own clients speak to, and a record of it.

The permission of a call is the one that the table of operations declares for the same call by REST.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.core.errors import Unauthenticated
from lakehouse.facades.cache.anonymous import anonymous_user, is_within, parse_networks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lakehouse.asgi.call import Call
    from lakehouse.asgi.dispatch import Record
    from lakehouse.auth.checker import Checker
    from lakehouse.auth.identity import Authenticator
    from lakehouse.core.clock import Clock
    from lakehouse.core.records import User
    from lakehouse.db.port import Database
    from lakehouse.facades.cache.scope import Scope
    from lakehouse.wire.operation import Operation

REFUSED = frozenset({401, 403})


class Admission:
    """Names callers and lets them pass, or not. `networks`: whose callers need no credentials."""

    def __init__(
        self,
        db: Database,
        authenticator: Authenticator,
        checker: Checker,
        *,
        networks: Sequence[str],
        record: Record,
        clock: Clock,
    ) -> None:
        """Raises BadConfiguration."""
        self._db = db
        self._authenticator = authenticator
        self._checker = checker
        self._networks = parse_networks(networks)
        self._record = record
        self._clock = clock

    async def caller(self, headers: Mapping[str, str], *, peer: str, forwarded: bool = False) -> User:
        """Whose request it is. `headers` by lower-case name; `peer` is the network address that it came from.

        `forwarded`: it came through something that is not known, so `peer` says nothing of who sent it.
        Raises Unauthenticated.
        """

        def address() -> str:
            return peer

        user = await self._authenticator.authenticate(headers, method="POST", cookie_writes=False, peer=address)
        if user is not None:
            return user
        if forwarded or not is_within(peer, self._networks):
            raise Unauthenticated
        return await self._checker.prepare(await anonymous_user(self._db, clock=self._clock), peer=address)

    def authorize(self, user: User, operation: Operation, scope: Scope) -> None:
        """Raises InsufficientPermissions."""
        for permission in operation.allow if isinstance(operation.allow, tuple) else ():
            self._checker.authorize(user, permission.action, scope.resource)

    def record(self, call: Call[Any, Any], status: int) -> None:
        """Told of each answer, as far as `call` tells who asked for what."""
        wanted = self._record.wants(call.operation)
        if wanted or status in REFUSED:
            self._record.record(call, status, wanted=wanted)
