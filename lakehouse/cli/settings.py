# SPDX-License-Identifier: Apache-2.0
"""Options that are settings: they win over environment and file, and have no default of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lakehouse.config.load import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.config.load import Loaded

F = TypeVar("F", bound="Callable[..., Any]")

_OPTIONS = {
    "config_file": click.option(
        "--config",
        "config_file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Settings file, in place of lakehouse.toml in this directory.",
    ),
    "host": click.option("--host", help="Address to listen on [127.0.0.1]."),
    "port": click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 for any free one [8000]."),
    "data": click.option("--data", type=click.Path(file_okay=False), help="Data directory [~/.local/share/lakehouse]."),
    "workers": click.option("--workers", type=click.IntRange(1, 64), help="Number of server processes [1]."),
    "database": click.option(
        "--database", metavar="URL", help="sqlite:PATH or postgresql://.. [DATA/metadata.sqlite]."
    ),
    "object_store": click.option(
        "--object-store", metavar="URL", help="s3://, gs:// or az://BUCKET [the embedded store in DATA]."
    ),
    "external_url": click.option("--external-url", metavar="URL", help="How clients reach the server."),
}


def setting_options(*names: str) -> Callable[[F], F]:
    """Add these options and `--config` to a command."""

    def add(command: F) -> F:
        for name in reversed((*names, "config_file")):
            command = _OPTIONS[name](command)
        return command

    return add


def loaded(flags: dict[str, Any]) -> Loaded:
    """The settings in force for a command that was given `flags`. Raises BadConfiguration."""
    given = dict(flags)
    file = given.pop("config_file", None)
    return load(environment=os.environ, flags=given, file=file, folder=Path.cwd())
