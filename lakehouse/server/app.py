# SPDX-License-Identifier: Apache-2.0
"""The composition root: from a configuration to one ASGI application.

The only place that knows which driver stands behind which port. One endpoint serves everything: requests with an S3
signature go to the S3 side, `/api/v1` to the REST side, the rest to a few pages.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import TYPE_CHECKING

from lakehouse import __version__
from lakehouse.actions.expiry import remove_old_runs_for_ever
from lakehouse.api.audited import Recorder
from lakehouse.api.errors import error_response
from lakehouse.api.handlers import handlers
from lakehouse.api.services import Services
from lakehouse.asgi.dispatch import ApiApp
from lakehouse.asgi.identity import rest_identity
from lakehouse.asgi.limits import Limits
from lakehouse.asgi.origin import Origin
from lakehouse.asgi.usage import UsageCounter
from lakehouse.auth import builtin, keys, setup
from lakehouse.auth.audit import AuditLog
from lakehouse.auth.checker import PolicyChecker
from lakehouse.auth.credentials import CredentialStore
from lakehouse.auth.directory import Directory
from lakehouse.auth.identity import Authenticator
from lakehouse.auth.oidc import Provider
from lakehouse.core.clock import system_clock
from lakehouse.core.errors import LakehouseError
from lakehouse.gc.prepare import PREPARE, prepare_in_background
from lakehouse.gc.running import COLLECT, collect_in_background
from lakehouse.s3.audited import S3Recorder
from lakehouse.s3.repository.gateway import Gateway
from lakehouse.server.facades import Facades
from lakehouse.server.hooks import kept_runs, lua_runner, with_hooks
from lakehouse.server.inbound import Loopback
from lakehouse.server.lake import lake_over
from lakehouse.server.metrics import REST, S3, lake_metrics
from lakehouse.server.metrics_page import metrics_page
from lakehouse.server.pages import pages
from lakehouse.server.parts import Parts
from lakehouse.server.provider import oidc_settings, open_egress
from lakehouse.server.routes import below_s3_root, has_s3_host, is_signed, is_upload_form
from lakehouse.server.s3_callers import S3Callers
from lakehouse.server.start import data_folder, open_database, open_ring
from lakehouse.server.storage import open_stores, s3_side
from lakehouse.versioning.work.auto_commit import Schedule, commit_for_ever
from lakehouse.versioning.work.dump import DUMP, dump_in_background
from lakehouse.versioning.work.importing import IMPORT, import_objects
from lakehouse.versioning.work.restore import RESTORE, restore_in_background
from lakehouse.versioning.work.sweeping import sweep_for_ever
from lakehouse.versioning.work.working import resume_for_ever
from lakehouse.wire.table import OPERATIONS

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from lakehouse.actions.lua.run import LuaRunner
    from lakehouse.asgi.types import Message, Receive, Scope, Send
    from lakehouse.config.model import Config
    from lakehouse.core.clock import Clock
    from lakehouse.s3.app import S3App
    from lakehouse.server.egress import Egress
    from lakehouse.server.metrics import ServerMetrics
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.stores import Store
    from lakehouse.versioning.work.working import LakeWork


WORKS: dict[str, LakeWork] = {
    IMPORT: import_objects,
    PREPARE: prepare_in_background,
    COLLECT: collect_in_background,
    DUMP: dump_in_background,
    RESTORE: restore_in_background,
}
"""What tasks do, by their kind: any process may go on with a task that another one left."""


class Application:
    """The server as an ASGI application. It opens its ports in lifespan startup and closes them in shutdown."""

    def __init__(self, config: Config, *, clock: Clock = system_clock) -> None:
        self._config = config
        self._clock = clock
        self._pages: Starlette
        self._api: ApiApp
        self._facades: Facades
        self._s3: S3App
        self._lake: Lake
        self._egress: Egress
        self._metrics: ServerMetrics
        self._lua: LuaRunner
        self._audit: AuditLog
        self._usage: UsageCounter
        self._loops: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or live through the server's lifespan."""
        if scope["type"] == "http":
            if is_signed(scope) or has_s3_host(scope, self._config.s3.domains) or is_upload_form(scope):
                self._usage.count()
                await self._s3(below_s3_root(scope) or scope, receive, send)
            elif scope["path"].startswith("/api/v1/"):
                self._usage.count()
                await self._api(scope, receive, send)
            elif (below := below_s3_root(scope)) is not None:
                self._usage.count()
                await self._s3(below, receive, send)
            elif (facade := self._facades.app(scope["path"])) is not None:
                await facade(scope, receive, send)
            else:
                await self._pages(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        scope.get("state", {})["traffic"] = self._metrics.traffic
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        message: Message = {"type": "lifespan.shutdown.complete"}
        await send(message)

    async def start(self) -> None:
        """Open everything. Raises StartupError."""
        config, clock = self._config, self._clock
        ring = open_ring(config)
        db = open_database(config)
        await db.migrate()
        await setup.claim(db, ring)
        await builtin.ensure(db, now=clock())
        metrics = self._metrics = lake_metrics(log=config.log.requests)
        stores, embedded = await open_stores(config, data_folder(config), ring, clock=clock, figures=metrics.store)
        self._egress = open_egress(config)
        inbound = Loopback()
        self._lua = lua_runner(config, self._egress, inbound)
        self._lake = with_hooks(config, lake_over(config, db, stores, ring, clock=clock), self._egress, self._lua)
        self._audit = AuditLog(db, ring, clock=clock)
        self._usage = UsageCounter(db, clock=clock)
        checker = PolicyChecker(db, clock=clock)
        credentials = CredentialStore(db, ring, checker=checker, clock=clock)
        authenticator = Authenticator(db, ring, credentials, checker=checker, clock=clock)
        services = Services(
            lake=self._lake,
            authenticator=authenticator,
            checker=checker,
            directory=Directory(db=db, ring=ring, checker=checker, clock=clock),
            provider=Provider(oidc_settings(config), self._egress, ring.signer(keys.OIDC), clock=clock),
            ring=ring,
            usage=self._usage,
            version=__version__,
            clock=clock,
            object_size=config.limits.object_size,
        )
        parts = Parts(
            config=config,
            lake=self._lake,
            ring=ring,
            directory=services.directory,
            checker=checker,
            credentials=credentials,
            authenticator=authenticator,
            origin=Origin(external_url=config.external_url, trusted_proxies=config.trusted_proxies),
            record=Recorder(self._audit, level=config.audit.level),
            audit=self._audit,
            metrics=metrics,
            clock=clock,
        )
        self._audit.start()
        self._open_sides(parts, services, embedded)
        inbound.serve(self._api)
        await self._facades.start()
        metrics.watch_stores()
        metrics.watch_lake(self._lake, WORKS)
        await metrics.start(data_folder(config))
        self._begin_loops()

    def _open_sides(self, parts: Parts, services: Services, embedded: Store) -> None:
        """REST, S3, the interfaces of other systems, and the pages beside them."""
        config, checker, authenticator = parts.config, parts.checker, parts.authenticator
        self._facades = Facades(parts)
        operations = [operation for operation in OPERATIONS if self._facades.serves(operation)]
        self._api = ApiApp(
            services,
            operations,
            handlers(operations, self._facades.handlers),
            authenticate=rest_identity(authenticator),
            authorize=checker.authorize,
            errors=error_response,
            origin=parts.origin,
            limits=Limits(json_body=config.limits.json_body),
            record=parts.record,
            observe=parts.metrics.observer(REST),
        )
        gateway = Gateway(
            self._lake,
            checker,
            parts.origin,
            config.object_store.region,
            new_buckets=config.s3.create_bucket,
            across_branches=config.s3.list_branches == "objects",
        )
        callers = S3Callers(authenticator, parts.credentials, checker, parts.origin)
        recorder = S3Recorder(self._audit, level=config.audit.level, origin=parts.origin)
        self._s3 = s3_side(
            config,
            embedded,
            gateway,
            callers,
            parts.ring,
            observe=parts.metrics.observer(S3),
            record=recorder.record,
        )
        self._pages = pages(
            config.external_url,
            operations,
            metrics=metrics_page(parts.metrics, config.metrics, authenticator=authenticator, checker=checker),
        )

    def _begin_loops(self) -> None:
        """What runs beside requests for as long as the server does."""
        settings = self._config.facades
        schedule = Schedule(every=math.ceil(settings.commit_every), changes=settings.commit_changes)
        loops = [
            sweep_for_ever(self._lake),
            resume_for_ever(self._lake, WORKS),
            self._usage.flush_for_ever(),
            remove_old_runs_for_ever(self._lake, kept_runs(self._config)),
        ]
        if schedule:
            loops.append(commit_for_ever(self._lake, schedule))
        self._loops = [asyncio.get_running_loop().create_task(loop) for loop in loops]

    async def stop(self) -> None:
        """Finish what was acknowledged, then close everything."""
        for loop in self._loops:
            loop.cancel()
        await self._api.drain()
        await self._facades.close()
        await self._lake.tasks.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._config.shutdown_timeout):
                await self._lake.background.drain()
        await self._lua.close()
        await self._egress.close()  # what is told to slow listeners after the fact ends here
        await self._lake.background.drain()
        await self._audit.stop()
        with suppress(LakehouseError):
            await self._usage.flush()
        self._metrics.stop()
        await self._lake.stores.close()
        await self._lake.db.close()


def create_app(config: Config) -> Application:
    """The application for a configuration."""
    return Application(config)
