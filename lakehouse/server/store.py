# SPDX-License-Identifier: Apache-2.0
"""The embedded object store on its own: an S3 server with buckets of any name and a few key pairs.

It has nothing of a lake: no database but the store's index, no repositories, no users.
"""

from __future__ import annotations

import base64
import secrets
from hashlib import blake2b
from typing import TYPE_CHECKING

from starlette.routing import request_response

from lakehouse.auth.secrets import generated_secret
from lakehouse.core.clock import system_clock
from lakehouse.core.errors import BadConfiguration
from lakehouse.objects.local import open_local_store
from lakehouse.objects.metered import MeteredUploads, metered
from lakehouse.s3.app import S3App
from lakehouse.s3.context import Buckets, KeyRecord
from lakehouse.server.metrics import S3, store_metrics
from lakehouse.server.metrics_page import metrics_page
from lakehouse.server.start import data_folder
from lakehouse.server.storage import EMBEDDED

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from lakehouse.asgi.types import Message, Receive, Scope, Send
    from lakehouse.config.model import Config
    from lakehouse.core.clock import Clock
    from lakehouse.objects.local import LocalStore
    from lakehouse.server.metrics import ServerMetrics

FOLDER = "store"
SECRET_FILE = "store-secret"  # noqa: S105  (a file's name)
MIN_ID, MAX_ID = 3, 20
"""Characters of an access key id."""
MIN_SECRET = 8
HEALTH = "/_health"
METRICS = "/_metrics"
"""Not `/metrics`, which may be a bucket."""


def key_pairs(config: Config) -> dict[str, str]:
    """Secrets by access key id: those of the settings, else one pair that the data directory keeps.

    Raises BadConfiguration, StartupError.
    """
    given = config.store.keys.reveal().strip()
    if not given:
        return dict([_own_pair(generated_secret(data_folder(config) / SECRET_FILE))])
    pairs: dict[str, str] = {}
    for number, pair in enumerate(given.split(","), 1):
        name, _, secret = pair.strip().partition(":")
        if not MIN_ID <= len(name) <= MAX_ID or not name.isalnum() or len(secret) < MIN_SECRET:
            raise BadConfiguration(
                f"store.keys: pair {number} is not ID:SECRET, an id of {MIN_ID} to {MAX_ID} letters and digits and a "
                f"secret of at least {MIN_SECRET} characters without commas"
            )
        if name in pairs:
            raise BadConfiguration(f"store.keys: the id {name} is there twice")
        pairs[name] = secret
    return pairs


def is_first_start(config: Config) -> bool:
    """Whether a pair has yet to be made."""
    return not config.store.keys and not (data_folder(config) / SECRET_FILE).exists()


def _own_pair(secret: bytes) -> tuple[str, str]:
    """The pair that goes with a secret of the data directory: of the form that other programs make and check."""
    name = base64.b32encode(blake2b(secret, person=b"store id").digest())[:14].decode()
    return f"AKIAJ{name}Q", base64.b64encode(blake2b(secret, person=b"store secret", digest_size=30).digest()).decode()


class StoreApplication:
    """The store as an ASGI application. It opens the folder in lifespan startup and closes it in shutdown."""

    def __init__(self, config: Config, *, clock: Clock = system_clock) -> None:
        self._config = config
        self._clock = clock
        self._pairs = key_pairs(config)
        self._store: LocalStore
        self._s3: S3App
        self._metrics: ServerMetrics
        self._page: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or live through the server's lifespan."""
        if scope["type"] == "http":
            if scope["path"] == HEALTH and not scope["query_string"]:
                await _healthy(send)
            elif scope["path"] == METRICS and not scope["query_string"]:
                await self._page(scope, receive, send)
            else:
                await self._s3(scope, receive, send)
        elif scope["type"] == "lifespan":
            await receive()
            await self.start()
            scope.get("state", {})["traffic"] = self._metrics.traffic
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.stop()
            await send({"type": "lifespan.shutdown.complete"})

    async def start(self) -> None:
        """Open the folder. Raises StartupError."""
        config = self._config
        self._store = await open_local_store(
            data_folder(config) / FOLDER, clock=self._clock, abandoned=config.object_store.abandoned_uploads
        )
        metrics = self._metrics = store_metrics(log=config.log.requests)
        figures = metrics.store(EMBEDDED)
        self._s3 = S3App(
            metered(self._store, figures),
            lookup_secret=self._lookup,
            presign_secret=secrets.token_hex(32),  # nobody signs with it
            uploads=MeteredUploads(self._store.uploads, figures),
            buckets=Buckets((), any_name=True, filled=self._store.bucket_names),
            region=config.store.region,
            domains=config.s3.domains,
            most=config.limits.object_size,
            clock=self._clock,
            observe=metrics.observer(S3),
        )
        self._page = request_response(metrics_page(metrics, config.metrics))
        metrics.watch_stores()
        await metrics.start(data_folder(config))

    async def stop(self) -> None:
        """Finish what was acknowledged, then close the folder."""
        self._metrics.stop()
        await self._store.close()

    async def _lookup(self, access_key_id: str) -> KeyRecord | None:
        secret = self._pairs.get(access_key_id)
        return None if secret is None else KeyRecord(secret, access_key_id, may_use_physical=True)


async def _healthy(send: Send) -> None:
    start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
    await send(start)
    await send({"type": "http.response.body", "body": b"ok\n"})


def create_store(config: Config) -> StoreApplication:
    """The application for a configuration. Raises BadConfiguration, StartupError."""
    return StoreApplication(config)
