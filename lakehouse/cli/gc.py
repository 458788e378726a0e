# SPDX-License-Identifier: Apache-2.0
"""`lakehouse gc`: collect garbage beside a running server, or without one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.settings import loaded, setting_options

if TYPE_CHECKING:
    from lakehouse.config.model import Config
    from lakehouse.gc.collect import Options, Report


@click.command()
@click.argument("repositories", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--forget", is_flag=True, help="Undo earlier marks: what they found must be found twice again.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each repository.")
@setting_options("data", "database")
def gc(*, repositories: tuple[str, ...], dry_run: bool, forget: bool, as_json: bool, **flags: Any) -> int:
    """Collect the garbage of REPOSITORIES, or of all.

    What nothing needs is deleted when two runs have found it, a day or more apart: run it daily.
    """
    from lakehouse.gc.collect import Options

    config = loaded(flags).config
    return asyncio.run(_run(config, repositories, Options(dry_run=dry_run), forget=forget, as_json=as_json))


async def _run(config: Config, names: tuple[str, ...], options: Options, *, forget: bool, as_json: bool) -> int:
    from lakehouse.core.errors import CollectionRefused
    from lakehouse.gc.collect import collect_garbage, forget_candidates
    from lakehouse.server.lake import opened_lake

    failed = 0
    async with opened_lake(config) as lake:
        for name in names or await _all(lake):
            if forget:
                await forget_candidates(lake, name)
                continue
            try:
                report = await collect_garbage(lake, name, options)
            except CollectionRefused as error:
                failed = 1
                click.echo(f"{name}: {error.message}", err=True)
                continue
            _print(report, as_json=as_json)
    return failed


async def _all(lake: Any) -> list[str]:
    from lakehouse.versioning.refs.repositories import list_repositories

    found: list[str] = []
    while True:
        page = await list_repositories(lake, prefix="", after=found[-1] if found else "", search="", amount=1000)
        found += [one.name for one in page.items]
        if not page.has_more:
            return found


def _print(report: Report, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        click.echo(msgspec.json.encode(report))
        return
    would = "would be deleted" if report.dry_run else "deleted"
    click.echo(
        f"{report.repository}: {report.deleted} {would} ({report.deleted_bytes:,} bytes), {report.waiting} wait for a "
        f"second mark ({report.waiting_bytes:,} bytes), {report.young} are too young; kept are {report.commits_kept} "
        f"commits, {report.commits_expired} expired now; {report.listed} objects and nodes were looked at"
    )
    for branch in report.idle_hidden_branches:
        click.echo(f"{report.repository}: nobody has moved the hidden branch {branch} for a week")
