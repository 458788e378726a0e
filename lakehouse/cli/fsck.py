# SPDX-License-Identifier: Apache-2.0
"""`lakehouse fsck`: check a lake beside a running server, or without one. Changes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.settings import loaded, setting_options

if TYPE_CHECKING:
    from lakehouse.config.model import Config
    from lakehouse.fsck.report import Problem, Report

DAMAGED = 4
"""Exit code when something is wrong that could cost data."""


@click.command()
@click.argument("repositories", nargs=-1)
@click.option("--bytes", "read", is_flag=True, help="Read every object, and compare it with its checksum.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as a JSON object.")
@setting_options("data", "database")
def fsck(*, repositories: tuple[str, ...], read: bool, as_json: bool, **flags: Any) -> int:
    """Check REPOSITORIES, or all of them and the database: rows, refs, commits, trees, objects.

    Says what is missing, which refs need it and how to repair it; changes nothing. Exit code 4: something is wrong.
    """
    config = loaded(flags).config
    report = asyncio.run(_run(config, repositories, read=read, quiet=as_json))
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(report))
    else:
        _print(report)
    return 0 if report.whole else DAMAGED


async def _run(config: Config, names: tuple[str, ...], *, read: bool, quiet: bool) -> Report:
    from lakehouse.db.inspection import damage
    from lakehouse.fsck.check import Options, check_lake
    from lakehouse.fsck.report import Kind
    from lakehouse.server.lake import opened_lake
    from lakehouse.server.start import database_scheme

    def progress(name: str) -> None:
        if not quiet:
            click.echo(f"checking {name} ...", err=True)

    async with opened_lake(config, as_it_is=True) as lake:
        report = await check_lake(lake, names, Options(read=read), progress=progress)
        if not names:
            for wrong in await damage(lake.db, database_scheme(config)):
                report.add(Kind.DATABASE, "", wrong)
        return report


def _print(report: Report) -> None:
    for problem in report.problems:
        click.echo(_text(problem))
    if report.untold:
        click.echo(f"... and {report.untold} more")
    read = f", {report.bytes_read:,} bytes of them read" if report.bytes_read else ""
    click.echo(
        f"{report.repositories} repositories: {report.refs} refs, {report.commits} commits, {report.nodes} nodes, "
        f"{report.staged} uncommitted changes, {report.objects} objects{read}, {report.external} elsewhere"
    )
    click.echo("All is well." if report.whole else "Something is wrong.")


def _text(problem: Problem) -> str:
    where = f" in {problem.repository}" if problem.repository else ""
    lines = [f"{'warning' if problem.warning else 'ERROR'} {problem.kind.value}{where}: {problem.message}"]
    if problem.refs:
        lines.append(f"  needed by {', '.join(problem.refs)}")
    lines.append(f"  repair: {problem.repair}")
    return "\n".join(lines)
