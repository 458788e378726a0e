# SPDX-License-Identifier: Apache-2.0
"""The object stores of a server, by its configuration, and the S3 side in front of the embedded one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lakehouse.api.services import Services
    from lakehouse.auth.keys import KeyRing
    from lakehouse.config.model import Config
    from lakehouse.core.clock import Clock
    from lakehouse.s3.app import S3App
    from lakehouse.versioning.stores import Stores


async def open_stores(
    config: Config, folder: Path, ring: KeyRing, *, clock: Clock
) -> tuple[Stores, Callable[[Services], S3App]]:
    """The stores, and what makes the S3 side once the engine stands on them. Raises StartupError."""
    raise NotImplementedError
