# SPDX-License-Identifier: Apache-2.0
"""Imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.commits import CommitCreation
from lakehouse.wire.imports import (
    IMPORT_CANCEL,
    IMPORT_START,
    IMPORT_STATUS,
    ImportCreation,
    ImportCreationResponse,
    ImportLocation,
    ImportQuery,
    ImportStatus,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from lakehouse.sdk._sync.transport import Transport


class Imports:
    """Objects of a store become entries of a branch, without a copy."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def import_start(
        self,
        repository: str,
        branch: str,
        sources: Sequence[ImportLocation],
        *,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
        mode: Literal["replace", "add"] = "replace",
        force: bool = False,
    ) -> ImportCreationResponse:
        """Begin an import. `add` keeps what stands under the destinations. Raises InvalidImportSource."""
        body = ImportCreation(
            paths=list(sources),
            commit=CommitCreation(message=message, metadata=dict(metadata or {})),
            mode=mode,
            force=force,
        )
        path = {"repository": repository, "branch": branch}
        return self._transport.call(IMPORT_START, ImportCreationResponse, path, body=body)

    def import_status(self, repository: str, branch: str, id: str) -> ImportStatus:  # noqa: A002
        """How far an import is; an import that failed has an `error`. Raises TaskNotFound."""
        path = {"repository": repository, "branch": branch}
        return self._transport.call(IMPORT_STATUS, ImportStatus, path, query=ImportQuery(id=id))

    def import_cancel(self, repository: str, branch: str, id: str) -> None:  # noqa: A002
        """Cancel an import: nothing of it is committed. Raises TaskNotFound, TaskCompleted."""
        path = {"repository": repository, "branch": branch}
        self._transport.send(IMPORT_CANCEL, path, query=ImportQuery(id=id))
