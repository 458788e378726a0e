# SPDX-License-Identifier: Apache-2.0
"""Handlers: short-lived access keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.api import identities
from lakehouse.auth import sessions
from lakehouse.wire.sessions import SessionCredentials

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.sessions import SessionCreation


async def create_session(services: Services, call: Call[None, SessionCreation | None]) -> SessionCredentials:
    body = call.body
    made = sessions.create(
        services.ring,
        call.known_user,
        now=services.clock(),
        seconds=sessions.DEFAULT if body is None or body.duration_seconds is UNSET else body.duration_seconds,
        policy=() if body is None or body.policy is UNSET else identities.statements(body.policy),
    )
    return SessionCredentials(
        access_key_id=made.credentials.access_key_id,
        secret_access_key=made.credentials.secret_access_key,
        session_token=made.token,
        expiration=made.expires,
    )


async def revoke_sessions(services: Services, call: Call[None, None]) -> None:
    await sessions.revoke(services.directory, call.path["userId"])
