# SPDX-License-Identifier: Apache-2.0
"""`lakehouse setup`: the first user, made beside the data, with or without a running server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.settings import loaded, setting_options

if TYPE_CHECKING:
    from lakehouse.config.model import Config
    from lakehouse.core.records import Credentials


@click.command()
@click.argument("name", default="admin")
@click.option("--email", default="", help="Appears as the author of commits, if given.")
@click.option("--recover", is_flag=True, help="Later: a new pair for the administrator NAME, when nobody can log in.")
@click.option("--json", "as_json", is_flag=True, help="Print the pair as a JSON object.")
@setting_options("data", "database")
def setup(*, name: str, email: str, recover: bool, as_json: bool, **flags: Any) -> None:
    """Make the first user, NAME, and print the access key pair, which is shown this once.

    LAKEHOUSE_ADMIN_ACCESS_KEY_ID and LAKEHOUSE_ADMIN_SECRET_ACCESS_KEY choose the pair; else it is generated. On
    another machine than the data's, use POST /api/v1/setup_lakefs.
    """
    from lakehouse.cli.output import as_pair

    config = loaded(flags).config
    pair = asyncio.run(_recover(config, name=name) if recover else _create(config, name=name, email=email))
    if as_json:
        import msgspec

        content = {"access_key_id": pair.access_key_id, "secret_access_key": pair.secret_access_key, "user": name}
        click.echo(msgspec.json.encode(content))
        return
    click.echo(f"The user {name} can do everything. The access key pair is shown this once:\n")
    click.echo(as_pair(pair))


async def _create(config: Config, *, name: str, email: str) -> Credentials:
    from lakehouse.auth.setup import FirstUser
    from lakehouse.auth.setup import setup as make
    from lakehouse.core.clock import system_clock
    from lakehouse.core.errors import AlreadySetUp
    from lakehouse.server.start import opened

    chosen = _chosen(config)
    async with opened(config) as (db, ring):
        try:
            return await make(db, ring, FirstUser(name, chosen, email), now=system_clock())
        except AlreadySetUp as error:
            raise AlreadySetUp(f"there is a first user already in {config.data}; nothing was changed") from error


async def _recover(config: Config, *, name: str) -> Credentials:
    from lakehouse.auth.recovery import recover
    from lakehouse.core.clock import system_clock
    from lakehouse.server.start import opened

    async with opened(config, as_it_is=True) as (db, ring):
        return await recover(db, ring, name=name, pair=_chosen(config), clock=system_clock)


def _chosen(config: Config) -> tuple[str, str] | None:
    """The pair of the settings, if there is one."""
    if not config.admin_access_key_id:
        return None
    return config.admin_access_key_id, config.admin_secret_access_key.reveal()
