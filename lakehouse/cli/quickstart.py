# SPDX-License-Identifier: Apache-2.0
"""`lakehouse quickstart`: the whole main job in front of the user, on a server and data of its own."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from lakehouse.cli.child import ServerProcess
    from lakehouse.cli.sample_files import SampleFile
    from lakehouse.sdk import Client
    from lakehouse.wire.staging import StagingLocation, StagingMetadata

    T = TypeVar("T")

REPOSITORY = "water"
KEY = "AKIAIOSFOLQUICKSTART"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105  (documented example pair, for a server on loopback)


@click.command()
@click.option("--keep", is_flag=True, help="Leave the server running, and say how to reach and to stop it.")
@click.option("--data", type=click.Path(path_type=Path), help="Where its data goes. [default: a temporary directory]")
@click.option("--port", default=0, show_default="any that is free", help="Port of the server.")
def quickstart(*, keep: bool, data: Path | None, port: int) -> None:
    """Show the main job, start to end: upload, link, commit, branch, change, diff, merge, read back.

    Takes a few seconds, needs nothing but this program, and leaves nothing behind unless asked to.
    """
    from lakehouse.cli.child import ServerProcess
    from lakehouse.sdk import Client

    if data is not None and (data / "metadata.sqlite").exists():
        raise click.ClickException(f"{data} holds a lake already: choose another directory with --data")
    folder = Path(tempfile.mkdtemp(prefix="lakehouse-quickstart-")) if data is None else data.absolute()
    show = Show()
    server = None
    try:
        server = show.step(
            "Start a server: metadata in SQLite, objects in a directory, one port for REST and S3",
            lambda: ServerProcess(folder, port=port, access_key_id=KEY, secret_access_key=SECRET),
        )
        show.say(f"it listens on {server.url}")
        with Client(server.url, access_key_id=KEY, secret_access_key=SECRET) as client:
            Tour(client, show, folder).run()
        show.end()
        if keep:
            _tell_how_to_go_on(server, folder)
    except BaseException:
        if server is not None:
            click.echo(f"\nThe server's log:\n{server.log.read_text(errors='replace')[-4000:]}", err=True)
        raise
    finally:
        if server is not None and not keep:
            server.stop()
        if data is None and not keep:
            shutil.rmtree(folder)


class Show:
    """Tells each step in a line, with the time it took."""

    def __init__(self) -> None:
        self._number = 0
        self._started = time.perf_counter()

    def step(self, text: str, work: Callable[[], T]) -> T:
        """Say what is done, do it, and say how long it took."""
        self._number += 1
        click.echo(f"\n{self._number:>2}. {text}")
        started = time.perf_counter()
        result = work()
        click.secho(f"    {(time.perf_counter() - started) * 1000:,.0f} ms", dim=True)
        return result

    def say(self, text: str) -> None:
        """A line of what came of it."""
        click.echo(f"    {text}")

    def end(self) -> None:
        """The last line."""
        click.secho(f"\nDone in {time.perf_counter() - self._started:.1f} s.", bold=True)


class Tour:
    """The main job, step by step, through the Python SDK."""

    def __init__(self, client: Client, show: Show, folder: Path) -> None:
        self._client = client
        self._show = show
        self._folder = folder

    def run(self) -> None:
        """All steps. Raises what fails."""
        files = self._make()
        self._show.step(
            f"Create the repository '{REPOSITORY}', with a branch 'main'",
            lambda: self._client.repositories.create_repository(REPOSITORY),
        )
        table = files[1]
        self._upload_by_address(table)
        self._upload_others([file for file in files if file is not table])
        self._commit("main", "First readings")
        self._change(table)
        self._meet_a_commit()
        self._compare_and_merge(table)
        self._history(table)

    def _make(self) -> list[SampleFile]:
        from lakehouse.cli.sample_files import has_parquet, make_files

        folder = self._folder / "files"
        folder.mkdir(exist_ok=True)
        files = self._show.step("Make some real files: a table, a list, pictures", lambda: make_files(folder))
        for file in files:
            self._show.say(f"{file.path:<28} {_size(file.file.stat().st_size)}")
        if not has_parquet():
            self._show.say("(no Parquet here: pip install 'lakehouse[parquet]' brings it)")
        return files

    def _upload_by_address(self, table: SampleFile) -> None:
        client, path = self._client, table.path
        location = self._show.step(
            f"Ask where to upload {path}: a physical address, and a presigned URL to PUT it to",
            lambda: client.staging.get_physical_address(REPOSITORY, "main", path, presign=True),
        )
        self._show.say(str(location.physical_address))
        etag = self._show.step(
            "Upload it straight to the object store, past the API", lambda: _put(str(location.presigned_url), table)
        )
        self._show.step(
            "Link it: now it is an uncommitted change of 'main'",
            lambda: client.staging.link(REPOSITORY, "main", path, _facts(table, etag, location)),
        )

    def _upload_others(self, files: list[SampleFile]) -> None:
        def upload() -> None:
            for file in files:
                self._client.staging.upload(REPOSITORY, "main", file.path, file.file, content_type=file.content_type)

        self._show.step(f"Upload and link {len(files)} more files, the same way in one call each", upload)

    def _commit(self, branch: str, message: str) -> None:
        made = self._show.step(
            f"Commit '{branch}': \"{message}\"",
            lambda: self._client.commits.commit(REPOSITORY, branch, message),
        )
        self._show.say(f"commit {made.id[:12]}")

    def _change(self, table: SampleFile) -> None:
        client = self._client
        self._show.step(
            "Make a branch 'recalibrated' to work on; nothing is copied",
            lambda: client.branches.create_branch(REPOSITORY, name="recalibrated", source="main"),
        )

        def change() -> None:
            corrected = self._corrected(table)
            client.staging.upload(REPOSITORY, "recalibrated", table.path, corrected, content_type=table.content_type)
            client.objects.delete_object(REPOSITORY, "recalibrated", "images/orbit-2.png")
            client.objects.upload_object(
                REPOSITORY, "recalibrated", "NOTES.md", b"Levels are 2 % higher.\n", content_type="text/markdown"
            )

        self._show.step("There: a corrected table, a picture deleted, a note added", change)
        for each in client.branches.each_branch_change(REPOSITORY, "recalibrated"):
            self._show.say(f"{each.type:<8} {each.path}")
        self._commit("recalibrated", "Recalibrated")

    def _corrected(self, table: SampleFile) -> Path:
        from lakehouse.cli.sample_files import readings

        if table.path.endswith(".parquet"):
            return readings(self._folder / "files" / "corrected.parquet", scale=1.02).file
        corrected = self._folder / "files" / "corrected.csv"
        corrected.write_text(table.file.read_text().replace("level_cm", "level_cm_corrected"))
        return corrected

    def _meet_a_commit(self) -> None:
        """A link whose staging area a commit has taken meanwhile."""
        from lakehouse.cli.sample_files import SampleFile
        from lakehouse.core.errors import StagingMoved
        from lakehouse.wire.staging import StagingLocation

        client, show = self._client, self._show
        late = self._folder / "files" / "late.csv"
        late.write_text("station,minute,level_cm\n1,1,99.5\n")
        file = SampleFile("tables/late.csv", late, "text/csv")
        location = show.step(
            "A slow client gets an address on 'main' and uploads; meanwhile somebody else commits",
            lambda: client.staging.get_physical_address(REPOSITORY, "main", file.path, presign=True),
        )
        etag = _put(str(location.presigned_url), file)
        client.objects.upload_object(REPOSITORY, "main", "README.md", b"# Water levels\n", content_type="text/markdown")
        client.commits.commit(REPOSITORY, "main", "Somebody else's commit")

        def link() -> StagingMoved:
            try:
                client.staging.link_physical_address(REPOSITORY, "main", file.path, _facts(file, etag, location))
            except StagingMoved as moved:
                return moved
            raise click.ClickException("the link with the old token was not refused")

        moved = show.step("Its link is refused: 409 Conflict, with a new location and token", link)
        fresh = moved.location
        if fresh is None:
            raise click.ClickException("the refusal has no location")
        known = StagingLocation(physical_address=location.physical_address, token=fresh.token)
        again = _facts(file, etag, known)
        show.step(
            "It links the object that it has already uploaded with the new token: nothing is sent twice",
            lambda: client.staging.link_physical_address(REPOSITORY, "main", file.path, again),
        )
        self._commit("main", "A late reading")

    def _compare_and_merge(self, table: SampleFile) -> None:
        client, show = self._client, self._show
        found = show.step(
            "Compare: what would 'recalibrated' bring into 'main'?",
            lambda: list(client.refs.each_change(REPOSITORY, "main", "recalibrated")),
        )
        for each in found:
            show.say(f"{each.type:<8} {each.path}")
        merged = show.step("Merge it", lambda: client.refs.merge_into_branch(REPOSITORY, "recalibrated", "main"))
        show.say(f"commit {merged.reference[:12]}")
        corrected = self._corrected(table).read_bytes()
        back = show.step(
            f"Read {table.path} back from 'main'", lambda: client.objects.get_object(REPOSITORY, "main", table.path)
        )
        if back != corrected:
            raise click.ClickException(f"{table.path} came back changed")
        show.say(f"{_size(len(back))}, byte for byte what was uploaded")

    def _history(self, table: SampleFile) -> None:
        client, show = self._client, self._show
        commits = show.step("The history of 'main'", lambda: list(client.refs.each_commit(REPOSITORY, "main")))
        for commit in commits:
            show.say(f"{commit.id[:12]}  {commit.message}")
        before = show.step(
            "Every version stays readable: the table before the merge, at 'main~1'",
            lambda: client.objects.get_object(REPOSITORY, "main~1", table.path),
        )
        if before != table.file.read_bytes():
            raise click.ClickException("the version before the merge came back changed")
        show.say(f"{_size(len(before))}, as it was")


def _put(url: str, file: SampleFile) -> str:
    """PUT a file to a presigned URL; the ETag of the answer."""
    import httpx2

    def chunks() -> Iterator[bytes]:
        with file.file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                yield chunk

    length = str(file.file.stat().st_size)
    answer = httpx2.put(url, content=chunks(), headers={"Content-Length": length}, timeout=60)
    answer.raise_for_status()
    return answer.headers["etag"]


def _facts(file: SampleFile, etag: str, location: StagingLocation) -> StagingMetadata:
    from lakehouse.wire.staging import StagingMetadata

    return StagingMetadata(
        staging=location, checksum=etag, size_bytes=file.file.stat().st_size, content_type=file.content_type
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count:,} bytes"


def _tell_how_to_go_on(server: ServerProcess, folder: Path) -> None:
    click.echo(
        f"""
The server goes on:  {server.url}   (process {server.pid}, data and log in {folder})

  curl -u '{KEY}:{SECRET}' {server.url}/api/v1/repositories/{REPOSITORY}/refs/main/objects/ls

Stop it with:  kill {server.pid}"""
    )
