# SPDX-License-Identifier: Apache-2.0
"""`lakehouse config`: the settings in force."""

from __future__ import annotations

from typing import Any

import click

from lakehouse.cli.lazy import Lazy


@click.group(
    cls=Lazy,
    commands_at={"show": ("lakehouse.cli.config:show", "Print every setting, its value and where it came from.")},
)
def config() -> None:
    """See the settings that are in force."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object: key to value and origin.")
@click.option("--config", "config_file", type=click.Path(dir_okay=False), help="Settings file.")
def show(*, as_json: bool, config_file: str | None) -> None:
    """Print every setting, its value and where it came from. Secrets are shown as stars."""
    from pathlib import Path

    from lakehouse.cli.settings import loaded
    from lakehouse.config.describe import lines

    shown = lines(loaded({"config_file": None if config_file is None else Path(config_file)}))
    if as_json:
        import msgspec

        content = {line.key: {"value": line.value, "origin": line.origin} for line in shown}
        click.echo(msgspec.json.format(msgspec.json.encode(content)).decode())
        return
    width = max(len(line.key) for line in shown)
    values = [_text(line.value) for line in shown]
    second = max(len(value) for value in values)
    for line, value in zip(shown, values, strict=True):
        click.echo(f"{line.key:<{width}}  {value:<{second}}  {line.origin}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value) or "-"
    return str(value) if value != "" else "-"
