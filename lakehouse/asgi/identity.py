# SPDX-License-Identifier: Apache-2.0
"""Who sends a REST request: the engine's authenticator, asked with what the request carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lakehouse.asgi.call import Call
    from lakehouse.auth.identity import Authenticator
    from lakehouse.core.records import User


def rest_identity(authenticator: Authenticator) -> Callable[[Call[Any, Any]], Awaitable[User | None]]:
    """What `ApiApp` wants as `authenticate`."""

    async def authenticate(call: Call[Any, Any]) -> User | None:
        if call.inside is not None:
            return await authenticator.admit(call.inside.user)
        headers = call.header_view
        origin = call.endpoint if "cookie" in headers else None
        return await authenticator.authenticate(
            headers, method=call.operation.method, origin=origin, peer=lambda: call.peer
        )

    return authenticate
