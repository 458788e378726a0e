# SPDX-License-Identifier: Apache-2.0
"""The record of each commit beside the trees: what a lake without its metadata database is rebuilt from.

It is written after the commit, beside the requests. A record that could not be written costs nothing but that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lakehouse.core.errors import LakehouseError
from lakehouse.format.commit import encode_commit

if TYPE_CHECKING:
    from lakehouse.core.ids import CommitId
    from lakehouse.core.records import Commit, Repository
    from lakehouse.objects.port import Location
    from lakehouse.versioning.lake import Lake

logger = logging.getLogger(__name__)


def location(lake: Lake, repository: Repository, commit: CommitId) -> tuple[Location, str]:
    """Where the record of a commit is, as a place in the repository's store and relative to its namespace."""
    relative = f"_lakehouse/commits/{commit}"
    return lake.place(repository).locate(relative), relative


def keep_record(lake: Lake, repository: Repository, commit: Commit, paths: bytes | None) -> None:
    """Write the record in the background; a failure is logged. A repeat writes the same bytes."""
    lake.background.start(_write(lake, repository, commit, paths))


async def _write(lake: Lake, repository: Repository, commit: Commit, paths: bytes | None) -> None:
    place, relative = location(lake, repository, commit.id)
    try:
        await lake.place(repository).store.objects.put(place, encode_commit(commit, paths=paths))
    except LakehouseError as error:
        logger.warning("repository %s: %s could not be written: %s", repository.name, relative, error)
