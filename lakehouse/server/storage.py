# SPDX-License-Identifier: Apache-2.0
"""The object stores of a server, by its configuration, and the S3 side in front of the embedded one.

The embedded store is always there; another one, when it is configured, is where new namespaces are chosen. Further
stores are reached by their names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import msgspec

from lakehouse.auth import keys
from lakehouse.config.model import NamedStore
from lakehouse.core.errors import BadConfiguration
from lakehouse.objects.local import open_local_store
from lakehouse.objects.metered import MeteredUploads, metered
from lakehouse.objects.presign import EmbeddedPresigner
from lakehouse.s3.app import S3App
from lakehouse.s3.context import Buckets
from lakehouse.server.directories import open_directories
from lakehouse.tree.cache import NodeCache
from lakehouse.tree.disk import DiskCache
from lakehouse.versioning.objects.addresses import is_data
from lakehouse.versioning.state.stores import Store, Stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lakehouse.auth.keys import KeyRing
    from lakehouse.config.model import Config
    from lakehouse.config.model import ObjectStore as ObjectStoreSettings
    from lakehouse.core.clock import Clock
    from lakehouse.objects.metered import StoreFigures
    from lakehouse.objects.port import Location, MultipartStore, ObjectStore, Presigner
    from lakehouse.s3.repository.gateway import Gateway
    from lakehouse.s3.request import S3Request
    from lakehouse.server.s3_callers import S3Callers

FOLDER = "objects"
CACHE_FOLDER = "cache/nodes"
DRIVERS = {
    ("s3", "minio"): "lakehouse.objects.minio:open_minio_store",
    ("s3", "obstore"): "lakehouse.objects.fast_s3:open_fast_s3_store",
    ("gs", ""): "lakehouse.objects.gcs:open_gcs_store",
    ("az", ""): "lakehouse.objects.azure:open_azure_store",
}
"""What opens the store of an `object_store.url`, by its scheme and, where there is a choice, by `driver`."""
SCHEMES = tuple(dict.fromkeys(scheme for scheme, _ in DRIVERS))


EMBEDDED, CONFIGURED, DIRECTORIES = "(embedded)", "(object_store)", "(directories)"
"""What stores without an id are called where they are counted."""


async def open_stores(
    config: Config,
    folder: Path,
    ring: KeyRing,
    *,
    clock: Clock,
    figures: Callable[[str], StoreFigures] | None = None,
) -> tuple[Stores, Store]:
    """All stores, and the embedded one among them. `figures`: what counts the calls to a store, by its name.

    Raises StartupError.
    """
    settings = config.object_store
    others = [_opened(other, f"object_stores.{name}", storage_id=name, clock=clock) for name, other in _named(config)]
    first = [_opened(settings, "object_store", clock=clock)] if settings.url else []
    local = await open_local_store(
        folder / FOLDER, clock=clock, bucket=settings.bucket, abandoned=settings.abandoned_uploads
    )
    embedded = Store(
        id="",
        objects=local,
        description=local.describe(),
        presigner=EmbeddedPresigner(secret=presign_secret(ring), region=settings.region, clock=clock),
        uploads=local.uploads,
        buckets=frozenset((settings.bucket,)),
    )
    directories = open_directories(config, folder)
    if figures is not None:
        first = [_counted(store, figures(CONFIGURED)) for store in first]
        embedded = _counted(embedded, figures(EMBEDDED))
        others = [_counted(store, figures(store.id)) for store in others]
        directories = tuple(_counted(store, figures(DIRECTORIES)) for store in directories)
    return Stores((*first, embedded, *others, *directories)), embedded


def _counted(store: Store, figures: StoreFigures) -> Store:
    """The same store, whose calls are counted."""
    uploads = None if store.uploads is None else MeteredUploads(store.uploads, figures)
    return msgspec.structs.replace(store, objects=metered(store.objects, figures), uploads=uploads)


def _named(config: Config) -> list[tuple[str, NamedStore]]:
    return sorted(config.object_stores.items())


def _opened(settings: ObjectStoreSettings | NamedStore, key: str, *, clock: Clock, storage_id: str = "") -> Store:
    """The store that a section of the settings describes. Raises BadConfiguration."""
    scheme, _, rest = settings.url.partition("://")
    bucket = rest.strip("/")
    if scheme not in SCHEMES or not bucket or "/" in bucket:
        known = " or ".join(f"{name}://BUCKET" for name in SCHEMES)
        raise BadConfiguration(f"{key}.url: {settings.url}: write {known}")
    try:
        objects = _driver(scheme, settings.driver)(bucket=bucket, clock=clock, **_options(scheme, settings))
    except ModuleNotFoundError as error:
        raise BadConfiguration(f"{key}: this store needs a package: pip install 'lakehouse[obstore]'") from error
    except BadConfiguration as error:
        raise BadConfiguration(f"{key}: {error}") from error
    description = objects.describe()
    return Store(
        id=storage_id,
        objects=cast("ObjectStore", objects),
        description=description,
        presigner=cast("Presigner", objects) if description.presign else None,
        uploads=cast("MultipartStore | None", getattr(objects, "uploads", None)),
        home=bucket,
        comment=settings.description if isinstance(settings, NamedStore) else "",
    )


def node_cache(config: Config, folder: Path) -> NodeCache:
    """What remembers the nodes of trees; on disk those of stores that are not on this machine."""
    disk = DiskCache(folder / CACHE_FOLDER, config.cache.disk) if config.cache.disk else None
    return NodeCache(config.cache.memory, disk=disk)


def _driver(scheme: str, driver: str) -> Callable[..., Any]:
    module, _, name = (DRIVERS.get((scheme, "")) or DRIVERS[scheme, driver]).partition(":")
    return cast("Callable[..., Any]", getattr(import_module(module), name))


def _options(scheme: str, settings: ObjectStoreSettings | NamedStore) -> dict[str, str]:
    """What an opener wants to know of a section of the settings."""
    if scheme == "gs":
        return {"endpoint": settings.endpoint, "credentials": settings.credentials}
    return {
        "endpoint": settings.endpoint,
        "region": settings.region,
        "access_key_id": settings.access_key_id,
        "secret_access_key": settings.secret_access_key.reveal(),
    }


def presign_secret(ring: KeyRing) -> str:
    """The secret of the key that the server signs URLs of the embedded store with."""
    return ring.derive(keys.PRESIGN)[1].hex()


def s3_side(
    config: Config,
    embedded: Store,
    gateway: Gateway,
    callers: S3Callers,
    ring: KeyRing,
    *,
    observe: Callable[[str, int, float], None] | None = None,
    record: Callable[[S3Request, int], None] | None = None,
) -> S3App:
    """The S3 side: repositories and the embedded store's bucket, for users and for URLs that the server signed."""

    async def write_once(location: Location) -> bool:
        return await is_data(gateway.lake, "s3", location)

    return S3App(
        embedded.objects,
        lookup_secret=callers.lookup,
        presign_secret=presign_secret(ring),
        uploads=embedded.uploads,
        write_once=write_once,
        buckets=Buckets((config.object_store.bucket,)),
        region=gateway.region,
        gateway=gateway,
        sessions=callers,
        domains=config.s3.domains,
        most=config.limits.object_size,
        clock=gateway.lake.clock,
        observe=observe,
        record=record,
    )
