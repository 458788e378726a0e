# SPDX-License-Identifier: Apache-2.0
"""Requests that the server itself makes to addresses that people configure or write into repositories.

A host is resolved once, every address is judged, and the connection goes to the one that was judged: a name that
changes its mind in between gains nothing. Link-local addresses (where clouds keep their secrets) are never reached,
private ones only if the operator says so. Redirects are not followed, and no answer is read past a limit.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

import httpx2

from lakehouse.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Resolve = Callable[[str, int], Awaitable[list[str]]]

TIMEOUT = 10.0
LARGEST = 1 << 20
"""Most bytes of an answer."""
_LIMITS = httpx2.Limits(max_keepalive_connections=0)
"""No connection is used again: it was made for one name, and another may have the same address."""
_OURS = {"host", "connection", "content-length", "transfer-encoding"}


class Egress:
    """One way out. `private` and `loopback`: whether such addresses may be reached."""

    def __init__(
        self,
        *,
        private: bool = False,
        loopback: bool = False,
        resolve: Resolve | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._closed = False
        self._private = private
        self._loopback = loopback
        self._resolve = resolve or _addresses
        self._client = httpx2.AsyncClient(
            timeout=TIMEOUT, follow_redirects=False, trust_env=False, limits=_LIMITS, transport=transport
        )

    async def get(self, url: str) -> bytes:
        """The body of a 200. Raises Unavailable."""
        status, body = await self._send("GET", url)
        if status != 200:
            raise Unavailable(f"{url} answered {status}")
        return body

    async def post_form(self, url: str, form: Mapping[str, str], *, user: str, password: str) -> tuple[int, bytes]:
        """Status and body of what a form is answered with. Raises Unavailable."""
        return await self._send("POST", url, data=dict(form), auth=httpx2.BasicAuth(user, password))

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,  # noqa: ASYNC109
    ) -> tuple[int, bytes]:
        """Status and the first MiB of the answer, within `timeout` seconds. The headers that say how a message is sent
        are ours. Raises Unavailable.
        """
        kept = {name: value for name, value in headers.items() if name.lower() not in _OURS}
        try:
            async with asyncio.timeout(timeout):
                return await self._send(method, url, content=body, headers=kept, whole=False)
        except TimeoutError as error:
            raise Unavailable(f"{url}: no answer within {timeout:g} seconds") from error

    async def close(self) -> None:
        """Let go of the connections; nothing is sent any more."""
        self._closed = True
        await self._client.aclose()

    async def _send(
        self,
        method: str,
        url: str,
        *,
        data: dict[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: httpx2.BasicAuth | None = None,
        whole: bool = True,
    ) -> tuple[int, bytes]:
        try:
            target, host, name = await self._pinned(url)
            request = self._client.build_request(
                method,
                target,
                data=data,
                content=content,
                headers={**(headers or {}), "host": host},
                timeout=httpx2.USE_CLIENT_DEFAULT if whole else None,
                extensions={"sni_hostname": name},
            )
            response = await self._client.send(request, auth=auth, stream=True)
            try:
                return response.status_code, await _read(response, url, whole=whole)
            finally:
                await response.aclose()
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise Unavailable(f"{url} cannot be reached: {error!r}") from error

    async def _pinned(self, text: str) -> tuple[httpx2.URL, str, str]:
        """The URL with an address that was judged in place of the host, the Host header, and the host's name."""
        if self._closed:
            raise Unavailable(f"{text}: not sent, the server stops")
        url = httpx2.URL(text)
        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise Unavailable(f"{text}: not an http or https URL without credentials")
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = [ip_address(one) for one in await self._resolve(url.host, port)]
        if not addresses or not all(self._may_reach(one) for one in addresses):
            raise Unavailable(f"{text}: its address may not be reached from here (settings egress.private)")
        return url.copy_with(host=str(addresses[0])), url.netloc.decode(), url.host

    def _may_reach(self, address: IPv4Address | IPv6Address) -> bool:
        plain = getattr(address, "ipv4_mapped", None) or address
        if plain.is_loopback:
            return self._loopback or self._private
        if plain.is_link_local or plain.is_multicast or plain.is_unspecified or plain.is_reserved:
            return False
        return bool(plain.is_global) or self._private


async def _read(response: httpx2.Response, url: str, *, whole: bool) -> bytes:
    pieces, size = [], 0
    async for piece in response.aiter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            if whole:
                raise Unavailable(f"{url}: the answer is larger than {LARGEST} bytes")
            break
    return b"".join(pieces)[:LARGEST]


async def _addresses(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]).partition("%")[0] for one in found]
