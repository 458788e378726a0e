# SPDX-License-Identifier: Apache-2.0
"""`lakehouse db`: back up, restore and look into the metadata database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.lazy import Lazy
from lakehouse.cli.settings import loaded, setting_options

if TYPE_CHECKING:
    from lakehouse.config.model import Config
    from lakehouse.fsck.rebuild import Rebuilt


@click.group(
    cls=Lazy,
    commands_at={
        "backup": ("lakehouse.cli.db:backup", "Copy the database while servers run."),
        "restore": ("lakehouse.cli.db:restore", "Put a backup in place."),
        "rebuild": ("lakehouse.cli.db:rebuild", "Make a repository again from its storage alone."),
        "inspect": ("lakehouse.cli.db:inspect", "Show schema, tables and sizes."),
    },
)
def db() -> None:
    """Back up, restore and look into the metadata database."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--without-secret", is_flag=True, help="Leave the data directory's secret out; keep it elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="Print the backup's manifest as JSON.")
@setting_options("data", "database")
def backup(*, folder: Path, without_secret: bool, as_json: bool, **flags: Any) -> None:
    """Copy the database, as it is at one moment, and the secret into the new folder FOLDER, and read it back.

    Servers may run. Copy the objects after it: see the documentation.
    """
    from lakehouse.server.backup import back_up

    manifest = back_up(loaded(flags).config, folder.absolute(), with_secret=not without_secret)
    if as_json:
        _echo(manifest)
        return
    size = (folder / "metadata.sqlite").stat().st_size
    click.echo(f"{folder}: schema {manifest.schema[-1]}, {size:,} bytes, read back and whole")
    if "secret" in manifest.files:
        click.echo("It holds the secret of this lake: keep it where only you can read it.")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Move the database that is there aside.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@setting_options("data", "database")
def restore(*, folder: Path, force: bool, as_json: bool, **flags: Any) -> None:
    """Check the backup in FOLDER and put it in place, with all servers stopped."""
    from lakehouse.server.backup import restore as put_back

    done = put_back(loaded(flags).config, folder.absolute(), force=force)
    if as_json:
        _echo(done)
        return
    click.echo(f"{done.database}: restored, with schema {done.manifest.schema[-1]}")
    for path in done.aside:
        click.echo(f"  what was there is now {path}")
    click.echo("Run `lakehouse fsck` before you start the server.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as a JSON object.")
@setting_options("data", "database")
def inspect(*, as_json: bool, **flags: Any) -> None:
    """Show the database's version, schema, tables and sizes. Reads only; counts every row."""
    shown = asyncio.run(_inspected(loaded(flags).config))
    if as_json:
        _echo(shown)
        return
    click.echo(f"{shown['database']} at {shown['place']}, used by lakehouse {shown['program']}")
    for path, size in shown["files"].items():
        click.echo(f"  {path}  {size:,} bytes")
    click.echo("schema")
    for name in shown["applied"]:
        click.echo(f"  {name}")
    for name in shown["missing"]:
        click.echo(f"  {name}  is still to come: the next start of this version's server applies it")
    click.echo("tables")
    width = max((len(table["name"]) for table in shown["tables"]), default=0)
    for table in shown["tables"]:
        size = "" if table["size"] is None else f"  {table['size']:>14,} bytes"
        click.echo(f"  {table['name']:<{width}}  {table['rows']:>12,} rows{size}")


@click.command()
@click.argument("name")
@click.argument("namespace", metavar="NAMESPACE")
@click.option("--default-branch", default="main", show_default=True, help="Its default branch.")
@click.option("--storage-id", default="", help="The store that the namespace is in, if it has a name.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@setting_options("data", "database")
def rebuild(*, name: str, namespace: str, default_branch: str, storage_id: str, as_json: bool, **flags: Any) -> None:
    """Make the repository NAME of the commits in NAMESPACE, such as s3://bucket/folder/, when the database is lost."""
    config = loaded(flags).config
    report = asyncio.run(
        _rebuilt(config, name=name, namespace=namespace, default_branch=default_branch, storage_id=storage_id)
    )
    if as_json:
        _echo(report)
        return
    click.echo(
        f"{report.repository}: {report.commits} commits, branches {', '.join(report.branches) or 'none'}, "
        f"tags {', '.join(report.tags) or 'none'}"
    )
    for branch in report.recovered:
        click.echo(f"  {branch} names a commit that had no other name")
    for message in report.damaged:
        click.echo(f"  {message}", err=True)


async def _rebuilt(config: Config, *, name: str, namespace: str, default_branch: str, storage_id: str) -> Rebuilt:
    from lakehouse.fsck.rebuild import rebuild as make
    from lakehouse.server.lake import opened_lake

    async with opened_lake(config) as lake:
        return await make(lake, name, namespace, default_branch=default_branch, storage_id=storage_id)


async def _inspected(config: Config) -> dict[str, Any]:
    from lakehouse import __version__
    from lakehouse.core.errors import StartupError
    from lakehouse.db.inspection import applied, is_sqlite, tables, version
    from lakehouse.db.migrations import MIGRATIONS
    from lakehouse.server.start import database_file, database_scheme, open_database

    scheme = database_scheme(config)
    files: dict[str, int] = {}
    place = config.database.url
    if is_sqlite(scheme):
        file = database_file(config)
        if not file.is_file():
            raise StartupError(f"there is no lake: {file} does not exist; name the directory with --data")
        beside = (file, file.with_name(f"{file.name}-wal"))
        place, files = str(file), {str(path): path.stat().st_size for path in beside if path.exists()}
    database = open_database(config)
    try:
        done = await applied(database, scheme)
        found = await tables(database, scheme)
        return {
            "program": __version__,
            "database": await version(database, scheme),
            "place": place,
            "files": files,
            "applied": done,
            "missing": [one.name for one in MIGRATIONS if one.name not in done],
            "tables": [{"name": one.name, "rows": one.rows, "size": one.size} for one in found],
        }
    finally:
        await database.close()


def _echo(value: object) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())
