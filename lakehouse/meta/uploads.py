# SPDX-License-Identifier: Apache-2.0
"""Table `uploads`: uploads in parts that are not finished.

A row is there from the beginning of an upload until the transaction that stages its object, or until it is given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import UploadNotFound
from lakehouse.core.paths import after_prefix
from lakehouse.db.statement import Statement
from lakehouse.meta.repositories import encode_metadata

if TYPE_CHECKING:
    from lakehouse.core.ids import RepositoryId
    from lakehouse.db.port import Database, Row

_COLUMNS = "key, id, address, store_id, content_type, metadata, created"
_metadata = msgspec.json.Decoder(dict[str, str])
_END = b"\xff"
"""Greater than every key, which is UTF-8."""


class Upload(msgspec.Struct, frozen=True):
    """An unfinished upload. `store_id` is the store's own name of it; `created` in seconds."""

    key: bytes
    id: str
    address: str
    store_id: str
    content_type: str
    metadata: dict[str, str]
    created: int


def _upload(row: Row) -> Upload:
    return Upload(row[0], row[1], row[2], row[3], row[4], _metadata.decode(row[5]), row[6])


def insert(repository: RepositoryId, upload: Upload) -> Statement:
    """A new upload."""
    return Statement(
        f"insert into uploads(repository, {_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            repository,
            upload.key,
            upload.id,
            upload.address,
            upload.store_id,
            upload.content_type,
            encode_metadata(upload.metadata),
            upload.created,
        ),
    )


async def find(db: Database, repository: RepositoryId, identifier: str) -> Upload | None:
    """The upload of this id."""
    row = await db.one(f"select {_COLUMNS} from uploads where id = ? and repository = ?", (identifier, repository))
    return None if row is None else _upload(row)


def delete(repository: RepositoryId, upload: Upload) -> Statement:
    """The upload is finished or given up. Raises UploadNotFound when it is gone already."""
    return Statement(
        "delete from uploads where repository = ? and key = ? and id = ?",
        (repository, upload.key, upload.id),
        rows=1,
        otherwise=UploadNotFound(),
    )


async def page(
    db: Database, repository: RepositoryId, *, prefix: bytes, after: tuple[bytes, str], limit: int
) -> list[Upload]:
    """Uploads in order of key and id, strictly after (key, id)."""
    rows = await db.all(
        f"select {_COLUMNS} from uploads where repository = ? and key >= ? and key < ? and (key, id) > (?, ?) "
        "order by key, id limit ?",
        (repository, prefix, after_prefix(prefix) or _END, *after, limit),
    )
    return [_upload(row) for row in rows]


async def old(db: Database, *, before: int, limit: int) -> list[tuple[RepositoryId, Upload]]:
    """Uploads that were begun before `before` (seconds), with their repositories."""
    rows = await db.all(
        f"select repository, {_COLUMNS} from uploads where created < ? order by repository, key, id limit ?",
        (before, limit),
    )
    return [(row[0], _upload(row[1:])) for row in rows]


def forget_all(repository: RepositoryId) -> Statement:
    """The repository is going."""
    return Statement("delete from uploads where repository = ?", (repository,))
