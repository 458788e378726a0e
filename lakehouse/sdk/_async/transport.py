# SPDX-License-Identifier: Apache-2.0
"""Sends operations: authorization, retries, errors as exceptions.

Credentials go to the API only, never to the stores that presigned URLs lead to.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
import msgspec

from lakehouse.core.errors import Unavailable
from lakehouse.sdk.errors import error_of
from lakehouse.sdk.requests import JSON, decoded, header_names, upload_headers, url_of
from lakehouse.sdk.retry import STATUSES, Retry, is_idempotent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from lakehouse.wire.operation import Operation

T = TypeVar("T")


class Transport:
    """One connection pool to one server."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        base: str,
        authorization: dict[str, str],
        retry: Retry,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._base = base
        self._authorization = authorization
        self._retry = retry
        self._sleep = sleep

    async def call(
        self,
        operation: Operation,
        kind: type[T],
        path: Mapping[str, str] | None = None,
        *,
        query: msgspec.Struct | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Send an operation and read its answer as `kind`. Raises what the server raised, or Unavailable."""
        response = await self.send(operation, path, query=query, body=body, headers=headers)
        return decoded(response.content, kind)

    async def send(
        self,
        operation: Operation,
        path: Mapping[str, str] | None = None,
        *,
        query: msgspec.Struct | None = None,
        body: object = None,
        headers: Mapping[str, Any] | None = None,
    ) -> httpx2.Response:
        """The same, for answers without a JSON body."""
        content = None if body is None else msgspec.json.encode(body)
        sent = {**({} if content is None else {"content-type": JSON}), **(headers or {})}
        return await self.deliver(operation, path, query=query, content=content, headers=sent)

    async def deliver(
        self,
        operation: Operation,
        path: Mapping[str, str] | None = None,
        *,
        query: msgspec.Struct | None = None,
        content: bytes | Callable[[], AsyncIterator[bytes]] | None = None,
        headers: Mapping[str, Any] | None = None,
        replayable: bool = True,
    ) -> httpx2.Response:
        """The same, with any body. `replayable`: the body can be sent again."""
        url = self._base + url_of(operation, path or {}, query)
        sent = {**self._authorization, **(headers or {})}
        again = replayable and is_idempotent(
            operation.name, operation.method, conditional=any("if-" in name.lower() for name in sent)
        )
        return await self._attempt(operation.method, url, content=content, headers=sent, again=again)

    async def put_presigned(
        self,
        url: str,
        content: bytes | Callable[[], AsyncIterator[bytes]],
        *,
        headers: Mapping[str, str],
        replayable: bool,
    ) -> httpx2.Response:
        """PUT to a store, without credentials of ours."""
        sent = {**headers, **upload_headers(url)}
        return await self._attempt("PUT", url, content=content, headers=sent, again=replayable)

    @asynccontextmanager
    async def streamed(
        self,
        operation: Operation,
        path: Mapping[str, str],
        *,
        query: msgspec.Struct | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx2.Response]:
        """The answer as it comes in. A redirection to the store is followed."""
        url = self._base + url_of(operation, path, query)
        sent = {**self._authorization, **(headers or {})}
        response = await self._open(operation.method, url, headers=sent)
        if response.status_code in (302, 307):
            await response.aclose()
            response = await self._open("GET", response.headers["location"], headers=headers or {})
        try:
            if response.status_code >= 400:
                await response.aread()
                raise error_of(response.status_code, header_names(response.headers), response.content)
            yield response
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _open(self, method: str, url: str, *, headers: Mapping[str, str]) -> httpx2.Response:
        try:
            return await self._http.send(self._http.build_request(method, url, headers=dict(headers)), stream=True)
        except httpx2.TransportError as error:
            raise Unavailable(f"cannot reach {self._base}: {error!r}") from error

    async def _attempt(
        self,
        method: str,
        url: str,
        *,
        content: bytes | Callable[[], AsyncIterator[bytes]] | None,
        headers: Mapping[str, Any],
        again: bool,
    ) -> httpx2.Response:
        attempt = 0
        while True:
            attempt += 1
            more = again and attempt < self._retry.attempts
            body = content() if callable(content) else content
            try:
                response = await self._http.request(method, url, content=body, headers=dict(headers))
            except httpx2.TransportError as error:
                if not more:
                    raise Unavailable(f"cannot reach {self._base}: {error!r}") from error
                await self._sleep(self._retry.delay(attempt))
                continue
            if response.status_code < 400:
                return response
            if not more or response.status_code not in STATUSES:
                raise error_of(response.status_code, header_names(response.headers), response.content)
            await self._sleep(self._retry.delay(attempt, retry_after=response.headers.get("retry-after")))
