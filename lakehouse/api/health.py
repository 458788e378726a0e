# SPDX-License-Identifier: Apache-2.0
"""Handlers: is it alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call


async def health_check(services: Services, call: Call[None, None]) -> None:
    """Nothing to say: that it answers is the answer."""
