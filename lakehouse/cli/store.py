# SPDX-License-Identifier: Apache-2.0
"""`lakehouse store`: the embedded object store on its own, in the foreground."""

from __future__ import annotations

from typing import Any

import click

from lakehouse.cli.settings import loaded, setting_options


@click.command()
@setting_options("host", "port", "data", "workers")
@click.option("--show-keys", is_flag=True, help="Print the access key pairs, and end.")
def store(*, show_keys: bool, **flags: Any) -> None:
    """Run the embedded object store as an S3 server, until Ctrl-C or SIGTERM.

    Every bucket name is a bucket. LAKEHOUSE_STORE__KEYS=ID:SECRET,ID:SECRET sets the key pairs; without it the first
    start makes a pair and prints it. What is acknowledged is on disk.
    """
    import logging

    from lakehouse.server.store import create_store, is_first_start, key_pairs
    from lakehouse.server.workers import listen, url_of
    from lakehouse.server.workers import serve as run
    from lakehouse.telemetry import logs

    config = loaded(flags).config
    first = is_first_start(config)
    pairs = key_pairs(config)
    if show_keys:
        for name, secret in pairs.items():
            click.echo(f"{name}:{secret}")
        return
    logs.configure(level=config.log.level, form=config.log.format)
    logging.getLogger("uvicorn.error").setLevel("DEBUG" if config.log.level == "debug" else "WARNING")
    bound = listen(config)
    text = f"The object store is listening on {url_of(bound)}  (data in {config.data})\n\n"
    if first:
        ((name, secret),) = pairs.items()
        text += f"A key pair was made; `lakehouse store --show-keys` prints it again.\n\n  {name}:{secret}\n\n"
    run(config, bound, factory=create_store, on_ready=lambda: click.echo(text + "Ctrl-C stops it."))
