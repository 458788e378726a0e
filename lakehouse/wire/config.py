# SPDX-License-Identifier: Apache-2.0
"""What the server can do: versions and stores."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import AUTHENTICATED, Operation, need


class VersionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`version` is the level of the protocol, N.N.N; `lakehouse_version` the program's own."""

    version: str | UnsetType = UNSET
    version_context: str | UnsetType = UNSET
    latest_version: str | UnsetType = UNSET
    upgrade_recommended: bool | UnsetType = UNSET
    upgrade_url: str | UnsetType = UNSET
    lakehouse_version: str | UnsetType = UNSET


class StorageConfig(msgspec.Struct, frozen=True, kw_only=True):
    blockstore_type: str
    blockstore_namespace_example: str
    blockstore_namespace_validity_regex: str = msgspec.field(name="blockstore_namespace_ValidityRegex")
    default_namespace_prefix: str | UnsetType = UNSET
    pre_sign_support: bool
    pre_sign_support_ui: bool
    import_support: bool
    import_validity_regex: str
    pre_sign_multipart_upload: bool | UnsetType = UNSET
    blockstore_id: str | UnsetType = UNSET
    blockstore_description: str | UnsetType = UNSET


class CustomViewer(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    url: str
    extensions: list[str] | UnsetType = UNSET
    content_types: list[str] | UnsetType = UNSET


class UIConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`rbac` is ours: the mode that `login_config` of the setup state tells too."""

    rbac: Literal["none", "simplified", "internal", "external"] | UnsetType = msgspec.field(default=UNSET, name="RBAC")
    custom_viewers: list[CustomViewer] | UnsetType | None = UNSET


class CapabilitiesConfig(msgspec.Struct, frozen=True):
    """Nothing yet."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    version_config: VersionConfig | UnsetType = UNSET
    storage_config: StorageConfig | UnsetType = UNSET
    storage_config_list: list[StorageConfig] | UnsetType = UNSET
    ui_config: UIConfig | UnsetType = UNSET
    capabilities_config: CapabilitiesConfig | UnsetType = UNSET


class GarbageCollectionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`grace_period` in seconds."""

    grace_period: int | UnsetType = UNSET


GET_CONFIG = Operation(
    name="get_config",
    id="getConfig",
    method="GET",
    path="/config",
    tag="config",
    summary="Get the server's configuration",
    allow=AUTHENTICATED,
    result=Config,
)
GET_LAKEFS_VERSION = Operation(
    name="get_lakefs_version",
    id="getLakeFSVersion",
    method="GET",
    path="/config/version",
    tag="config",
    summary="Get the server's version",
    allow=AUTHENTICATED,
    result=VersionConfig,
    deprecated=True,
)
GET_STORAGE_CONFIG = Operation(
    name="get_storage_config",
    id="getStorageConfig",
    method="GET",
    path="/config/storage",
    tag="config",
    summary="Get what the store can do",
    allow=need("fs:ReadConfig", "*"),
    result=StorageConfig,
    deprecated=True,
)
GET_GARBAGE_COLLECTION_CONFIG = Operation(
    name="get_garbage_collection_config",
    id="getGarbageCollectionConfig",
    method="GET",
    path="/config/garbage-collection",
    tag="config",
    summary="Get how long unlinked uploads are kept",
    allow=AUTHENTICATED,
    result=GarbageCollectionConfig,
)

OPERATIONS = (GET_CONFIG, GET_LAKEFS_VERSION, GET_STORAGE_CONFIG, GET_GARBAGE_COLLECTION_CONFIG)
