# SPDX-License-Identifier: Apache-2.0
"""Sample data for a new repository: a README, a table of lakes, some files in folders, one commit."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from lakehouse.core.ids import EntryPath
from lakehouse.versioning.commits.commit import CommitRequest, commit
from lakehouse.versioning.objects.objects import Upload, upload_object
from lakehouse.versioning.protection import set_rules

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from lakehouse.core.records import Repository
    from lakehouse.versioning.lake import Actor, Lake

MESSAGE = "Add sample data"
_TYPES = {
    "md": "text/markdown",
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv",
    "svg": "image/svg+xml",
    "png": "image/png",
}


async def add_sample_data(lake: Lake, repository: Repository, actor: Actor) -> None:
    """Upload the sample files to the default branch, commit them, and protect the branch.

    A read-only repository gets them too, but no rule: nothing can be written there anyway.
    """
    branch = repository.default_branch
    root = files("lakehouse.versioning.refs").joinpath("samples")
    for path, file in sorted(_walk(root, "")):
        body = file.read_bytes()
        if path == "README.md":
            body = body.replace(b"{repository}", repository.name.encode()).replace(b"{branch}", branch.encode())
        kind = _TYPES.get(path.rpartition(".")[2], "application/octet-stream")
        upload = Upload(path=EntryPath(path.encode()), size=len(body), content_type=kind, force=True)
        await upload_object(lake, repository.name, branch, upload, body)
    await commit(lake, repository.name, branch, CommitRequest(message=MESSAGE, force=True), actor)
    if not repository.read_only:
        await set_rules(lake, repository, [branch], if_etag=None)


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _walk(item, f"{prefix}{item.name}/")
        else:
            found.append((prefix + item.name, item))
    return found
