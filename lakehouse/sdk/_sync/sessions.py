# SPDX-License-Identifier: Apache-2.0
"""Short-lived access keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk.requests import given
from lakehouse.wire.sessions import CREATE_SESSION, REVOKE_SESSIONS, SessionCreation, SessionCredentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.sdk._sync.transport import Transport
    from lakehouse.wire.policies import Statement


class Sessions:
    """Sessions: key pairs that end by themselves."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_session(
        self, *, duration_seconds: int | None = None, policy: Sequence[Statement] | None = None
    ) -> SessionCredentials:
        """A key pair with a session token for oneself, narrowed to what `policy` allows. Raises InvalidArgument."""
        body = SessionCreation(
            duration_seconds=given(duration_seconds), policy=given(None if policy is None else list(policy))
        )
        return self._transport.call(CREATE_SESSION, SessionCredentials, body=body)

    def revoke_sessions(self, user: str) -> None:
        """Void all sessions and login tokens that a user has been given; key pairs stay. Raises UserNotFound."""
        self._transport.send(REVOKE_SESSIONS, {"userId": user})
