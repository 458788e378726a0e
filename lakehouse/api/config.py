# SPDX-License-Identifier: Apache-2.0
"""Handlers: what the server is and can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.api.services import PROTOCOL_LEVEL
from lakehouse.wire.config import (
    CapabilitiesConfig,
    Config,
    GarbageCollectionConfig,
    StorageConfig,
    UIConfig,
    VersionConfig,
)

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.versioning.state.stores import Store


async def get_config(services: Services, call: Call[None, None]) -> Config:
    return Config(
        version_config=_version(services),
        storage_config=_storage(services.lake.stores.default),
        storage_config_list=_storages(services),
        ui_config=UIConfig(rbac="internal", custom_viewers=[]),
        capabilities_config=CapabilitiesConfig(),
    )


async def get_lakefs_version(services: Services, call: Call[None, None]) -> VersionConfig:
    return _version(services)


async def get_storage_config(services: Services, call: Call[None, None]) -> StorageConfig:
    return _storage(services.lake.stores.default)


async def get_garbage_collection_config(services: Services, call: Call[None, None]) -> GarbageCollectionConfig:
    return GarbageCollectionConfig(grace_period=services.lake.address_validity)


def _version(services: Services) -> VersionConfig:
    return VersionConfig(
        version=PROTOCOL_LEVEL,
        version_context="lakeFS",
        upgrade_recommended=False,
        lakehouse_version=services.version,
    )


def _storage(store: Store) -> StorageConfig:
    description = store.description
    return StorageConfig(
        blockstore_type=description.kind,
        blockstore_namespace_example=description.namespace_example,
        blockstore_namespace_validity_regex=f"^{description.scheme}://",
        pre_sign_support=description.presign,
        pre_sign_support_ui=description.presign,
        pre_sign_multipart_upload=store.uploads is not None and description.presign_multipart,
        import_support=description.importable,
        import_validity_regex=f"^{description.scheme}://",
        blockstore_id=store.id,
        blockstore_description=store.comment,
    )


def _storages(services: Services) -> list[StorageConfig]:
    """Each store, when there is a choice."""
    offered = services.lake.stores.offered
    return [_storage(store) for store in offered] if len(offered) > 1 else []
