# SPDX-License-Identifier: Apache-2.0
"""What the server can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.config import (
    GET_CONFIG,
    GET_GARBAGE_COLLECTION_CONFIG,
    GET_LAKEFS_VERSION,
    GET_STORAGE_CONFIG,
    Config,
    GarbageCollectionConfig,
    StorageConfig,
    VersionConfig,
)

if TYPE_CHECKING:
    from lakehouse.sdk._sync.transport import Transport


class Configuration:
    """Versions and stores."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_config(self) -> Config:
        """The server's configuration."""
        return self._transport.call(GET_CONFIG, Config)

    def get_lakefs_version(self) -> VersionConfig:
        """The server's version: the protocol's level and the program's own."""
        return self._transport.call(GET_LAKEFS_VERSION, VersionConfig)

    def get_storage_config(self) -> StorageConfig:
        """What the store can do."""
        return self._transport.call(GET_STORAGE_CONFIG, StorageConfig)

    def get_garbage_collection_config(self) -> GarbageCollectionConfig:
        """How long unlinked uploads are kept, in seconds."""
        return self._transport.call(GET_GARBAGE_COLLECTION_CONFIG, GarbageCollectionConfig)
