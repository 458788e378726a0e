# SPDX-License-Identifier: Apache-2.0
"""The top of the command line, and the one place where errors become a line and an exit code.

0 is success; 1 says that something failed, in one line on standard error; 2 that the command was written wrongly.
"""

from __future__ import annotations

import sys

import click

from lakehouse._version import __version__
from lakehouse.cli.lazy import Lazy
from lakehouse.core.errors import LakehouseError, StartupError

COMMANDS = {
    "quickstart": ("lakehouse.cli.quickstart:quickstart", "See the main job, start to end, on data of its own."),
    "serve": ("lakehouse.cli.serve:serve", "Run the server."),
    "store": ("lakehouse.cli.store:store", "Run the embedded object store alone, as an S3 server."),
    "setup": ("lakehouse.cli.setup:setup", "Make the first user, beside the data."),
    "gc": ("lakehouse.cli.gc:gc", "Delete what nothing needs any more."),
    "fsck": ("lakehouse.cli.fsck:fsck", "Check that everything is there, from refs to bytes."),
    "db": ("lakehouse.cli.db:db", "Back up, restore and look into the database."),
    "config": ("lakehouse.cli.config:config", "See the settings that are in force."),
}
"""Each command's place and its line in `lakehouse --help`."""


@click.group(
    cls=Lazy,
    commands_at=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`lakehouse COMMAND --help` tells more about a command.",
)
@click.version_option(__version__, prog_name="lakehouse", message="%(prog)s %(version)s")
def main() -> None:
    """A Git-like versioned data lake: branches, commits, diffs and merges for data in an object store."""


def run(args: list[str] | None = None) -> None:
    """Run a command line and exit with its code."""
    sys.exit(exit_code(args))


def exit_code(args: list[str] | None = None) -> int:
    """Run a command line; its exit code. Errors are told on standard error."""
    try:
        outcome = main.main(args, prog_name="lakehouse", standalone_mode=False)
    except click.exceptions.Abort:
        return _failed("stopped", 130)
    except click.UsageError as error:
        where = f" (see `{error.ctx.command_path} --help`)" if error.ctx is not None else ""
        return _failed(f"{error.format_message()}{where}", 2)
    except click.ClickException as error:
        return _failed(error.format_message(), error.exit_code)
    except StartupError as error:
        return _failed(str(error), 1)
    except LakehouseError as error:
        return _failed(error.message, 1)
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        return 1
    return outcome if isinstance(outcome, int) else 0


def _failed(message: str, code: int) -> int:
    click.echo(f"lakehouse: {' '.join(message.split())}", err=True)
    return code
