# SPDX-License-Identifier: Apache-2.0
"""The nodes of committed trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.metadata import (
    GET_META_RANGE,
    GET_METADATA_OBJECT,
    GET_RANGE,
    MetadataObjectQuery,
    StorageURI,
)

if TYPE_CHECKING:
    from lakehouse.sdk._sync.transport import Transport


class Metadata:
    """Where trees are in the store, and their bytes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_meta_range(self, repository: str, meta_range: str) -> StorageURI:
        """The address of a tree's root."""
        path = {"repository": repository, "meta_range": meta_range}
        return self._transport.call(GET_META_RANGE, StorageURI, path)

    def get_range(self, repository: str, range_id: str) -> StorageURI:
        """The address of a tree's node."""
        return self._transport.call(GET_RANGE, StorageURI, {"repository": repository, "range": range_id})

    def get_metadata_object(self, repository: str, kind: str, object_id: str, *, presign: bool = False) -> bytes:
        """The bytes of a node; `kind` is `meta_range` or `range`."""
        path = {"repository": repository, "type": kind, "object_id": object_id}
        query = MetadataObjectQuery(presign=presign)
        with self._transport.streamed(GET_METADATA_OBJECT, path, query=query) as response:
            return response.read()
