# SPDX-License-Identifier: Apache-2.0
"""`lakehouse serve`: the server, in the foreground."""

from __future__ import annotations

from typing import Any

import click

from lakehouse.cli.settings import loaded, setting_options


@click.command()
@setting_options("host", "port", "data", "workers", "database", "object_store", "external_url")
def serve(**flags: Any) -> None:
    """Run the server until Ctrl-C or SIGTERM; requests that are being answered are finished first.

    Every setting can also stand in lakehouse.toml or in the environment: `lakehouse config show` lists them. The first
    start makes a user and prints its access key pair.
    """
    import asyncio
    import logging

    from lakehouse.cli.output import welcome
    from lakehouse.server.start import first_start
    from lakehouse.server.workers import listen, url_of
    from lakehouse.server.workers import serve as run
    from lakehouse.telemetry import logs

    config = loaded(flags).config
    logs.configure(level=config.log.level, form=config.log.format)
    server = logging.getLogger("uvicorn.error")
    server.setLevel("DEBUG" if config.log.level == "debug" else "WARNING")
    server.addFilter(lambda record: not record.getMessage().startswith("Application startup failed"))  # said better
    bound = listen(config)
    start = asyncio.run(first_start(config))
    text = welcome(url_of(bound), data=config.data, start=start)
    run(config, bound, on_ready=lambda: click.echo(text))
