# SPDX-License-Identifier: Apache-2.0
"""The requests to the platform: login, configuration, and the operations on buckets.

Errors are those of the server, as the classes that it raised; what is not there is ResourceNotFound.
"""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
import msgspec

from lakehouse.core.errors import InvalidArgument, NotFound, ResourceNotFound, Unauthenticated, Unavailable
from lakehouse.sdk.buckets.uris import Home
from lakehouse.sdk.errors import error_of
from lakehouse.sdk.requests import JSON, authorization, decoded, header_names, url_of
from lakehouse.sdk.retry import STATUSES, Retry
from lakehouse.wire.auth import LOGIN, AuthenticationToken, LoginInformation
from lakehouse.wire.buckets import GET_PLATFORM_CONFIG, NDJSON, ROOT, PlatformConfig, PlatformError
from lakehouse.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from lakehouse.wire.operation import Operation

T = TypeVar("T")
_REST = "/api/v1"
_COMPUTED = ("/login", "/make_tmp_credentials", "/sign_blob_url")
"""What changes nothing though it is asked for by POST."""


class Platform:
    """One platform, for one user: known by a token, or by a key pair that is traded for one when it is needed."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        endpoint: str,
        *,
        token: str | None,
        pair: tuple[str, str] | None,
        retry: Retry,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Raises InvalidArgument."""
        if (token is None) == (pair is None):
            raise InvalidArgument("give a token, or an access key pair")
        trimmed = endpoint.rstrip("/").removesuffix(ROOT)
        if not trimmed.startswith(("http://", "https://")):
            raise InvalidArgument(f"endpoint {endpoint!r}: must begin with http:// or https://")
        self._http = http
        self._endpoint = trimmed
        self._token = token
        self._pair = pair
        self._sleep = sleep
        self._opening = asyncio.Lock()
        self._clusters: dict[str, str] = {}
        self._home: Home | None = None
        self.retry = retry

    async def home(self) -> Home:
        """Cluster, organization and user; asked for once. Raises Unauthenticated."""
        if self._home is None:
            async with self._opening:
                if self._home is None:
                    self._home = await self._open()
        return self._home

    async def url_of_cluster(self, name: str | None) -> str:
        """Where the buckets of a cluster are asked for; of one's own without a name. Raises ResourceNotFound."""
        home = await self.home()
        url = self._clusters.get(home.cluster if name is None else name)
        if url is None:
            raise ResourceNotFound(f"there is no cluster {name!r}; known are {', '.join(self._clusters)}")
        return url

    async def call(
        self,
        operation: Operation,
        kind: type[T],
        path: Mapping[str, str] | None = None,
        *,
        cluster: str | None = None,
        query: msgspec.Struct | None = None,
        body: msgspec.Struct | None = None,
    ) -> T:
        """Send an operation and read its answer as `kind`. Raises ResourceNotFound and what the server raised."""
        url = await self.url_of_cluster(cluster) + url_of(operation, path or {}, query)
        return decoded((await self._send(operation.method, url, body)).content, kind)

    async def do(
        self, operation: Operation, path: Mapping[str, str], *, cluster: str | None, query: msgspec.Struct | None = None
    ) -> None:
        """The same, for answers without a body."""
        await self._send(operation.method, await self.url_of_cluster(cluster) + url_of(operation, path, query), None)

    async def lines(self, operation: Operation, kind: type[T], *, cluster: str | None) -> AsyncIterator[T]:
        """A list as it comes. Raises what the server raised, also in the middle."""
        url = await self.url_of_cluster(cluster) + url_of(operation, {}, None)
        decode = msgspec.json.Decoder(kind).decode
        async with self._streamed(url) as response:
            async for line in response.aiter_lines():
                if not line:
                    continue
                try:
                    yield decode(line)
                except msgspec.ValidationError as error:
                    raise Unavailable(msgspec.json.decode(line, type=PlatformError).error) from error

    @asynccontextmanager
    async def _streamed(self, url: str) -> AsyncIterator[httpx2.Response]:
        request = self._http.build_request("GET", url, headers={"accept": NDJSON, **self._authorization()})
        try:
            response = await self._http.send(request, stream=True)
        except httpx2.TransportError as error:
            raise Unavailable(f"cannot reach {self._endpoint}: {error!r}") from error
        try:
            if response.status_code >= 400:
                await response.aread()
                raise _error(response)
            yield response
        finally:
            await response.aclose()

    async def _open(self) -> Home:
        if self._token is None:
            await self._log_in()
        url = f"{self._endpoint}{ROOT}{GET_PLATFORM_CONFIG.path}"
        found = decoded((await self._send("GET", url, None)).content, PlatformConfig)
        if not found.authorized or not found.clusters:
            raise Unauthenticated("the platform has no cluster for this user")
        self._clusters = {cluster.name: cluster.buckets_url.rstrip("/") for cluster in found.clusters}
        first = found.clusters[0]
        return Home(first.name, first.orgs[0] if first.orgs else None, user_of(self._token or ""))

    async def _log_in(self) -> None:
        if self._pair is None:
            raise Unauthenticated
        url = f"{self._endpoint}{_REST}{LOGIN.path}"
        answer = await self._attempt("POST", url, msgspec.json.encode(LoginInformation(*self._pair)), {})
        self._token = decoded(answer.content, AuthenticationToken).token

    async def _send(self, method: str, url: str, body: msgspec.Struct | None) -> httpx2.Response:
        content = None if body is None else msgspec.json.encode(body)
        try:
            return await self._attempt(method, url, content, self._authorization())
        except Unauthenticated:
            if self._pair is None:
                raise
            await self._log_in()
            return await self._attempt(method, url, content, self._authorization())

    def _authorization(self) -> dict[str, str]:
        return authorization(access_key_id=None, secret_access_key=None, token=self._token)

    async def _attempt(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]
    ) -> httpx2.Response:
        sent = {**headers, **({} if content is None else {"content-type": JSON})}
        attempt = 0
        while True:
            attempt += 1
            more = attempt < self.retry.attempts
            try:
                response = await self._http.request(method, url, content=content, headers=sent)
            except httpx2.TransportError as error:
                may_be_done = method == "POST" and not url.partition("?")[0].endswith(_COMPUTED)
                if not more or (may_be_done and not isinstance(error, httpx2.ConnectError)):
                    raise Unavailable(f"cannot reach {self._endpoint}: {error!r}") from error
                await self._sleep(self.retry.delay(attempt))
                continue
            if response.status_code < 400:
                return response
            if not more or response.status_code not in STATUSES:
                raise _error(response)
            await self._sleep(self.retry.delay(attempt, retry_after=response.headers.get("retry-after")))


def user_of(token: str) -> str:
    """The user whose token this is, as it says. Raises InvalidArgument."""
    try:
        body = token.split(".")[1]
        claims: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return str(claims.get("identity") or claims["https://platform.neuromation.io/user"])
    except (IndexError, KeyError, ValueError, AttributeError) as error:
        raise InvalidArgument("the token is no login token: it does not say whose it is") from error


def _error(response: httpx2.Response) -> Exception:
    """What the platform refused with: its text is under `error`."""
    body = response.content
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        body = msgspec.json.encode(Error(msgspec.json.decode(body, type=PlatformError).error))
    found = error_of(response.status_code, header_names(response.headers), body)
    return ResourceNotFound(found.message) if isinstance(found, NotFound) else found
