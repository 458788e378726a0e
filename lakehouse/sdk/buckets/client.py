# SPDX-License-Identifier: Apache-2.0
"""A client of the bucket platform: one pool of connections, one user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from lakehouse.core.errors import InvalidArgument
from lakehouse.sdk.buckets.buckets import Buckets
from lakehouse.sdk.buckets.platform import Platform
from lakehouse.sdk.buckets.transfer import FILES
from lakehouse.sdk.buckets.upload import AT_ONCE
from lakehouse.sdk.retry import Retry

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

CONNECT_TIMEOUT = 10.0
_CONNECTIONS = FILES * AT_ONCE


class BucketsClient:
    """`buckets` is the interface.

    `endpoint` such as `http://127.0.0.1:8000`, with or without `/neuro/api/v1`; credentials are a login token, or an
    access key pair that is traded for one. `timeout` in seconds is for each step of a request. Use it as an
    asynchronous context manager, or call `aclose`. Raises InvalidArgument.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        token: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        timeout: float = 60.0,
        retry: Retry | None = None,
        verify: ssl.SSLContext | bool = True,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        if (access_key_id is None) != (secret_access_key is None):
            raise InvalidArgument("an access key pair is an access_key_id and a secret_access_key")
        pair = None if access_key_id is None or secret_access_key is None else (access_key_id, secret_access_key)
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT), pool=None),
            limits=httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            verify=verify,
            transport=transport,
        )
        platform = Platform(self._http, endpoint, token=token, pair=pair, retry=retry or Retry())
        self.buckets = Buckets(platform, self._http, direct=transport is None)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> BucketsClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
