# SPDX-License-Identifier: Apache-2.0
"""The client: one object for each group of operations, over one pool of connections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2

from lakehouse.sdk._async.actions import Actions
from lakehouse.sdk._async.audit import Audit
from lakehouse.sdk._async.auth import Auth
from lakehouse.sdk._async.branches import Branches
from lakehouse.sdk._async.cache import Cache
from lakehouse.sdk._async.commits import Commits
from lakehouse.sdk._async.config import Configuration
from lakehouse.sdk._async.dumps import Dumps
from lakehouse.sdk._async.gc import GarbageCollection
from lakehouse.sdk._async.groups import Groups
from lakehouse.sdk._async.health import Health
from lakehouse.sdk._async.history import History
from lakehouse.sdk._async.imports import Imports
from lakehouse.sdk._async.metadata import Metadata
from lakehouse.sdk._async.multipart import Multipart
from lakehouse.sdk._async.objects import Objects
from lakehouse.sdk._async.policies import Policies
from lakehouse.sdk._async.prefixes import Prefixes
from lakehouse.sdk._async.principals import Principals
from lakehouse.sdk._async.protection import Protection
from lakehouse.sdk._async.pulls import Pulls
from lakehouse.sdk._async.refs import Refs
from lakehouse.sdk._async.repositories import Repositories
from lakehouse.sdk._async.reviews import Reviews
from lakehouse.sdk._async.sessions import Sessions
from lakehouse.sdk._async.setup import FirstSetup
from lakehouse.sdk._async.staging import Staging
from lakehouse.sdk._async.statistics import Statistics
from lakehouse.sdk._async.symlinks import Symlinks
from lakehouse.sdk._async.tags import Tags
from lakehouse.sdk._async.transport import Transport
from lakehouse.sdk._async.users import Users
from lakehouse.sdk.requests import authorization, base_url
from lakehouse.sdk.retry import Retry

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from types import TracebackType

CONNECT_TIMEOUT = 10.0


class AsyncClient:
    """A client of one server.

    `endpoint` such as `http://127.0.0.1:8000`; credentials are a key pair or a token, or none. `timeout` in seconds is
    for each step of a request (a read, a write), not for all of it. `transport` and `verify` are httpx2's. Use it as a
    context manager, or call `aclose`.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        token: str | None = None,
        timeout: float = 60.0,
        retry: Retry | None = None,
        verify: ssl.SSLContext | bool = True,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)), verify=verify, transport=transport
        )
        self._transport = Transport(
            http,
            base=base_url(endpoint),
            authorization=authorization(access_key_id=access_key_id, secret_access_key=secret_access_key, token=token),
            retry=retry or Retry(),
            sleep=sleep,
        )
        self.setup = FirstSetup(self._transport)
        self.health = Health(self._transport)
        self.auth = Auth(self._transport)
        self.users = Users(self._transport)
        self.groups = Groups(self._transport)
        self.policies = Policies(self._transport)
        self.principals = Principals(self._transport)
        self.sessions = Sessions(self._transport)
        self.audit = Audit(self._transport)
        self.config = Configuration(self._transport)
        self.statistics = Statistics(self._transport)
        self.repositories = Repositories(self._transport)
        self.protection = Protection(self._transport)
        self.branches = Branches(self._transport)
        self.tags = Tags(self._transport)
        self.commits = Commits(self._transport)
        self.refs = Refs(self._transport)
        self.objects = Objects(self._transport)
        self.prefixes = Prefixes(self._transport)
        self.history = History(self._transport)
        self.staging = Staging(self._transport)
        self.multipart = Multipart(self._transport)
        self.metadata = Metadata(self._transport)
        self.symlinks = Symlinks(self._transport)
        self.pulls = Pulls(self._transport)
        self.actions = Actions(self._transport)
        self.imports = Imports(self._transport)
        self.gc = GarbageCollection(self._transport)
        self.dumps = Dumps(self._transport)
        self.reviews = Reviews(self._transport)
        self.cache = Cache(self._transport)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._transport.aclose()
