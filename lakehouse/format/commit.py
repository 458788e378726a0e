# SPDX-License-Identifier: Apache-2.0
"""The canonical bytes of a commit, whose SHA-256 is its id, and the record that is kept beside the trees.

The id covers what the author said and what the tree is: parents, root, committer, message, time, metadata, version.
Generation and changed paths follow from these, so they are not part of it (docs/formats/commit.md).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import xxhash

from lakehouse.core.errors import DataDamaged, FormatUnknown
from lakehouse.core.ids import CommitId, MetaRangeId
from lakehouse.core.records import Commit

if TYPE_CHECKING:
    from collections.abc import Sequence

OWN_VERSION = 1
"""`Commit.version` of commits whose id is the hash of their canonical bytes. Others came from elsewhere: data."""

MAGIC = b"LHCM"
RECORD_VERSION = 1
_HEADER = 13


class _Record(msgspec.Struct, array_like=True):
    id: str
    parents: list[str]
    root: str
    committer: str
    message: str
    created: int
    metadata: dict[str, str]
    version: int
    generation: int
    paths: bytes | None = None


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(_Record)


def canonical_bytes(
    *,
    parents: Sequence[CommitId],
    root: MetaRangeId,
    committer: str,
    message: str,
    created: int,
    metadata: dict[str, str],
    version: int = OWN_VERSION,
) -> bytes:
    """What the id of a commit is the hash of. `created` in seconds; metadata is sorted by key."""
    return _encoder.encode(("commit", version, list(parents), root, committer, message, created, metadata))


def commit_id(
    *,
    parents: Sequence[CommitId],
    root: MetaRangeId,
    committer: str,
    message: str,
    created: int,
    metadata: dict[str, str],
    version: int = OWN_VERSION,
) -> CommitId:
    """The id of a commit with these fields: two that agree in all of them are one."""
    fields = canonical_bytes(
        parents=parents,
        root=root,
        committer=committer,
        message=message,
        created=created,
        metadata=metadata,
        version=version,
    )
    return CommitId(hashlib.sha256(fields).hexdigest())


def id_of(commit: Commit) -> CommitId:
    """The id that the commit's fields give; of a commit of our own version it equals `commit.id`."""
    return commit_id(
        parents=commit.parents,
        root=commit.root,
        committer=commit.committer,
        message=commit.message,
        created=commit.created,
        metadata=commit.metadata,
        version=commit.version,
    )


def encode_commit(commit: Commit, *, paths: bytes | None = None) -> bytes:
    """The record `_lakehouse/commits/<id>`; `paths` is the changed-path filter, None when unknown."""
    body = _encoder.encode(
        _Record(
            commit.id,
            list(commit.parents),
            commit.root,
            commit.committer,
            commit.message,
            commit.created,
            commit.metadata,
            commit.version,
            commit.generation,
            paths,
        )
    )
    return MAGIC + bytes((RECORD_VERSION,)) + xxhash.xxh3_64_digest(body) + body


def decode_commit(data: bytes, *, name: str) -> tuple[Commit, bytes | None]:
    """The commit of a record and its changed-path filter; `name` says which in errors.

    The id is verified for commits of our own version. Raises DataDamaged, FormatUnknown.
    """
    if len(data) < _HEADER or data[:4] != MAGIC:
        raise DataDamaged(f"commit record {name}: not a commit record: restore it from a backup of the store")
    if data[4] != RECORD_VERSION:
        raise FormatUnknown(f"commit record {name}: version {data[4]} is newer than this program knows: upgrade it")
    body = data[_HEADER:]
    if xxhash.xxh3_64_digest(body) != data[5:_HEADER]:
        raise DataDamaged(f"commit record {name}: the checksum does not match: restore it from a backup of the store")
    try:
        record = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise DataDamaged(f"commit record {name}: cannot be read: restore it from a backup of the store") from error
    commit = Commit(
        id=CommitId(record.id),
        parents=tuple(CommitId(parent) for parent in record.parents),
        root=MetaRangeId(record.root),
        committer=record.committer,
        message=record.message,
        created=record.created,
        metadata=record.metadata,
        generation=record.generation,
        version=record.version,
    )
    if commit.version == OWN_VERSION and id_of(commit) != commit.id:
        raise DataDamaged(f"commit record {name}: its fields do not give its id: restore it from a backup of the store")
    return commit, record.paths
