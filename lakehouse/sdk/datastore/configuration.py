# SPDX-License-Identifier: Apache-2.0
"""A DataStore from the `storage` section of Flyte's configuration, in its newer form (`stow`) and in its older one
(`connection`).

Where Flyte stumbles, this does not: `disable_ssl` counts in any case of its letters, and an endpoint needs no scheme.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.core.errors import InvalidArgument
from lakehouse.sdk.datastore.location import Location, LocationID
from lakehouse.sdk.datastore.store import DataStore

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES = frozenset({"", "stow", "s3", "minio"})
_OLD_NAMES = {
    "endpoint": "endpoint",
    "access-key": "access_key_id",
    "secret-key": "secret_key",
    "region": "region",
    "auth-type": "auth_type",
    "disable-ssl": "disable_ssl",
}
_REGION = "us-east-1"
MAX_DOWNLOAD = 2


def store_of(storage: Mapping[str, Any]) -> DataStore:
    """The store of a `storage` section. Raises InvalidArgument for what a lakehouse is not."""
    kind = str(storage.get("type", ""))
    if kind not in _TYPES:
        raise InvalidArgument(f"storage.type: {kind!r} is no object store with an S3 interface")
    container = storage.get("container")
    if not isinstance(container, str) or not container:
        raise InvalidArgument("storage.container: is missing")
    config = _stow(storage)
    locations = {LocationID.MAIN: _location(config)}
    override = _section(_section(storage, "signedUrl"), "stowConfigOverride")
    if override:
        locations[LocationID.SIGNED_URL] = _location({**config, **override})
    limit = _section(storage, "limits").get("maxDownloadMBs", MAX_DOWNLOAD)
    if not isinstance(limit, int) or limit < 0:
        raise InvalidArgument(f"storage.limits.maxDownloadMBs: {limit!r} is no whole number from 0 on")
    return DataStore(
        container,
        locations,
        enable_multicontainer=_is_true(storage.get("enable-multicontainer", False)),
        max_download_mbs=limit,
    )


def _stow(storage: Mapping[str, Any]) -> dict[str, Any]:
    """How to reach the store, by the names of the newer form, which counts if both of its parts are there."""
    stow = _section(storage, "stow")
    if stow.get("kind") and stow.get("config"):
        if stow["kind"] != "s3":
            raise InvalidArgument(f"storage.stow.kind: {stow['kind']!r}: a lakehouse is of the kind s3")
        return dict(_section(stow, "config"))
    old = _section(storage, "connection")
    return {new: old[name] for name, new in _OLD_NAMES.items() if name in old}


def _location(config: Mapping[str, Any]) -> Location:
    if config.get("auth_type", "accesskey") != "accesskey":
        raise InvalidArgument(f"auth_type: {config['auth_type']!r}: a lakehouse knows callers by accesskey")
    if config.get("token"):
        raise InvalidArgument("token: give a lasting access key")
    endpoint = str(config.get("endpoint") or "")
    if not endpoint:
        raise InvalidArgument("endpoint: is missing: the address of the lakehouse")
    if "://" not in endpoint:
        endpoint = f"{'http' if _is_true(config.get('disable_ssl', False)) else 'https'}://{endpoint}"
    return Location(
        endpoint,
        access_key_id=str(config.get("access_key_id", "")),
        secret_access_key=str(config.get("secret_key", "")),
        region=str(config.get("region") or _REGION),
    )


def _section(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name) or {}
    if not hasattr(found, "items"):
        raise InvalidArgument(f"{name}: is no section")
    return found


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"
