# SPDX-License-Identifier: Apache-2.0
"""The engine over the ports that a configuration names, for the server and for commands beside it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lakehouse.auth import keys
from lakehouse.core.clock import system_clock
from lakehouse.server.start import data_folder, opened
from lakehouse.server.storage import node_cache, open_stores
from lakehouse.versioning.lake import Lake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.auth.keys import KeyRing
    from lakehouse.config.model import Config
    from lakehouse.core.clock import Clock
    from lakehouse.db.port import Database
    from lakehouse.versioning.state.stores import Stores


def lake_over(config: Config, db: Database, stores: Stores, ring: KeyRing, *, clock: Clock) -> Lake:
    """The engine over ports that are open."""
    return Lake(
        db=db,
        stores=stores,
        nodes=node_cache(config, data_folder(config)),
        addresses=ring.signer(keys.ADDRESS),
        tokens=ring.signer(keys.STAGING_TOKEN),
        clock=clock,
        address_validity=int(config.staging.address_validity),
        presign_seconds=int(config.staging.presign_validity),
        upload_validity=int(config.s3.upload_validity),
    )


@asynccontextmanager
async def opened_lake(config: Config, *, clock: Clock = system_clock, as_it_is: bool = False) -> AsyncIterator[Lake]:
    """The engine for a command; servers may run on the same data. `as_it_is`: the database is not made or migrated.

    Raises StartupError.
    """
    async with opened(config, as_it_is=as_it_is) as (db, ring):
        stores, _ = await open_stores(config, data_folder(config), ring, clock=clock)
        lake = lake_over(config, db, stores, ring, clock=clock)
        try:
            yield lake
        finally:
            await lake.background.drain()
            await stores.close()
