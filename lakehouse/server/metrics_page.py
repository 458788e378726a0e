# SPDX-License-Identifier: Apache-2.0
"""Who may read `/metrics`: callers on this machine, users who are allowed to, or everybody, as configured.

Figures tell names of operations and how busy a lake is, nothing of what is in it; still they are not for strangers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response

from lakehouse.auth.setup import is_local
from lakehouse.core.errors import LakehouseError, Unauthenticated
from lakehouse.telemetry.exposition import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from lakehouse.auth.checker import Checker
    from lakehouse.auth.identity import Authenticator
    from lakehouse.config.model import Metrics
    from lakehouse.server.metrics import ServerMetrics

    Page = Callable[[Request], Awaitable[Response]]

ACTION = "auth:ReadMetrics"
_SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_CHALLENGE = {**_SAFE, "WWW-Authenticate": 'Basic realm="lakehouse metrics"'}


def metrics_page(
    metrics: ServerMetrics,
    settings: Metrics,
    *,
    authenticator: Authenticator | None = None,
    checker: Checker | None = None,
) -> Page:
    """The page. Without `authenticator` and `checker` nobody comes in by name."""

    async def may_read(request: Request) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw}
        peer = request.client.host if request.client else ""
        if settings.access == "anyone" or is_local(peer, headers):
            return
        user = None if authenticator is None else await authenticator.authenticate(headers, peer=lambda: peer)
        if user is None or checker is None:
            raise Unauthenticated
        checker.authorize(user, ACTION, "*")

    async def page(request: Request) -> Response:
        if settings.access == "off":
            return PlainTextResponse("not found\n", status_code=404, headers=_SAFE)
        try:
            await may_read(request)
        except Unauthenticated as error:
            return PlainTextResponse(f"{error.message}\n", status_code=401, headers=_CHALLENGE)
        except LakehouseError as error:
            return PlainTextResponse(f"{error.message}\n", status_code=403, headers=_SAFE)
        return Response(await metrics.page(), headers={**_SAFE, "Content-Type": CONTENT_TYPE})

    return page
