# SPDX-License-Identifier: Apache-2.0
"""Groups whose commands are loaded when they are asked for: `lakehouse --help` imports no server."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class Lazy(click.Group):
    """A group that knows each command's place (`module:object`) and one line of help."""

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at = dict(commands_at)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the declaration."""
        return list(self._at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        if cmd_name not in self._at:
            return None
        module, _, name = self._at[cmd_name][0].partition(":")
        command = getattr(import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{name} is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion for a mistyped name. Raises UsageError."""
        if args and args[0] not in self._at and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self._at, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known are {', '.join(self._at)}."
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the declaration: nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._at.items()])
