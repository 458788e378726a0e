# SPDX-License-Identifier: Apache-2.0
"""Commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk.requests import given
from lakehouse.wire.commits import (
    COMMIT,
    CREATE_COMMIT_RECORD,
    GET_COMMIT,
    Commit,
    CommitCreation,
    CommitQuery,
    CommitRecordCreation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.sdk._sync.transport import Transport


class Commits:
    """Commits of a repository."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def commit(
        self,
        repository: str,
        branch: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        date: int | None = None,
        allow_empty: bool = False,
        force: bool = False,
        source_metarange: str = "",
    ) -> Commit:
        """Commit a branch's uncommitted changes. `date` in seconds.

        Raises NoChanges, ProtectedBranch, BranchNotFound.
        """
        body = CommitCreation(
            message=message, metadata=dict(metadata or {}), date=given(date), allow_empty=allow_empty, force=force
        )
        path = {"repository": repository, "branch": branch}
        query = CommitQuery(source_metarange=source_metarange)
        return self._transport.call(COMMIT, Commit, path, query=query, body=body)

    def get_commit(self, repository: str, ref: str) -> Commit:
        """The commit that any ref expression names. Raises CommitNotFound."""
        return self._transport.call(GET_COMMIT, Commit, {"repository": repository, "commitId": ref})

    def create_commit_record(self, repository: str, record: CommitRecordCreation) -> None:
        """Add a commit that was made elsewhere; no branch moves. Raises CommitExists, InvalidArgument."""
        self._transport.send(CREATE_COMMIT_RECORD, {"repository": repository}, body=record)
