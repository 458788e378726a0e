# SPDX-License-Identifier: Apache-2.0
"""Webhooks: the event as JSON to a URL; any answer but 2xx is a no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.actions import properties
from lakehouse.actions.environment import filled
from lakehouse.core.errors import HookFailed, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.actions.outbound import Outbound
    from lakehouse.actions.spec import Hook

TIMEOUT = 60.0
_SHOWN = 32 << 10
"""Bytes of an answer that are kept in the hook's output."""


async def run_webhook(
    hook: Hook, payload: bytes, *, outbound: Outbound, environment: Mapping[str, str], log: list[str]
) -> None:
    """Send the event. `log` gets what happened, without what the environment filled in. Raises HookFailed."""
    written = properties.text(hook.properties, "url")
    given = filled(hook.properties, environment)
    url = properties.with_query(properties.text(given, "url"), given)
    sent = {"Content-Type": "application/json"} | properties.headers(given)
    log.append(f"Request:\nPOST {written}\n{payload.decode()}\n")
    status, _ = await send(
        outbound, "POST", url, headers=sent, body=payload, timeout=properties.seconds(given, default=TIMEOUT), log=log
    )
    if not 200 <= status < 300:
        raise HookFailed(f"webhook request failed (status code: {status})")


async def send(
    outbound: Outbound,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    timeout: float,  # noqa: ASYNC109
    log: list[str],
) -> tuple[int, bytes]:
    """A request and its answer, which goes into `log`. Raises HookFailed; its message never shows the URL."""
    try:
        status, answer = await outbound.request(method, url, headers=headers, body=body, timeout=timeout)
    except Unavailable as error:
        raise HookFailed(f"request failed: {error.message.replace(url, 'the URL')}") from error
    shown = answer[:_SHOWN].decode(errors="replace")
    log.append(f"Response:\nStatus: {status}\n{shown}\n")
    return status, answer
