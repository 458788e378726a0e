# SPDX-License-Identifier: Apache-2.0
"""The client: one object for each group of operations, over one pool of connections."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx2

from lakehouse.sdk._sync.actions import Actions
from lakehouse.sdk._sync.audit import Audit
from lakehouse.sdk._sync.auth import Auth
from lakehouse.sdk._sync.branches import Branches
from lakehouse.sdk._sync.cache import Cache
from lakehouse.sdk._sync.commits import Commits
from lakehouse.sdk._sync.config import Configuration
from lakehouse.sdk._sync.dumps import Dumps
from lakehouse.sdk._sync.gc import GarbageCollection
from lakehouse.sdk._sync.groups import Groups
from lakehouse.sdk._sync.health import Health
from lakehouse.sdk._sync.history import History
from lakehouse.sdk._sync.imports import Imports
from lakehouse.sdk._sync.metadata import Metadata
from lakehouse.sdk._sync.multipart import Multipart
from lakehouse.sdk._sync.objects import Objects
from lakehouse.sdk._sync.policies import Policies
from lakehouse.sdk._sync.prefixes import Prefixes
from lakehouse.sdk._sync.principals import Principals
from lakehouse.sdk._sync.protection import Protection
from lakehouse.sdk._sync.pulls import Pulls
from lakehouse.sdk._sync.refs import Refs
from lakehouse.sdk._sync.repositories import Repositories
from lakehouse.sdk._sync.reviews import Reviews
from lakehouse.sdk._sync.sessions import Sessions
from lakehouse.sdk._sync.setup import FirstSetup
from lakehouse.sdk._sync.staging import Staging
from lakehouse.sdk._sync.statistics import Statistics
from lakehouse.sdk._sync.symlinks import Symlinks
from lakehouse.sdk._sync.tags import Tags
from lakehouse.sdk._sync.transport import Transport
from lakehouse.sdk._sync.users import Users
from lakehouse.sdk.requests import authorization, base_url
from lakehouse.sdk.retry import Retry

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

CONNECT_TIMEOUT = 10.0


class Client:
    """A client of one server.

    `endpoint` such as `http://127.0.0.1:8000`; credentials are a key pair or a token, or none. `timeout` in seconds is
    for each step of a request (a read, a write), not for all of it. `transport` and `verify` are httpx2's. Use it as a
    context manager, or call `close`.
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
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        http = httpx2.Client(
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

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._transport.close()
