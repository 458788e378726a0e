# SPDX-License-Identifier: Apache-2.0
"""Where a request came from and by which name the caller knows the server.

The peer is the address of the socket. Forwarded headers count only when the peer is one of the configured proxies:
anybody can write them.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from lakehouse.core.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lakehouse.asgi.types import Headers, Scope

_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


class Origin:
    """Decides scheme, host and peer of requests.

    `external_url` (such as `https://lake.example.org`) wins over whatever the request says. `trusted_proxies` are
    addresses or networks. Raises ValueError when one of them is neither.
    """

    __slots__ = ("_external", "_trusted")

    def __init__(self, *, external_url: str = "", trusted_proxies: Iterable[str] = ()) -> None:
        self._external = external_url.rstrip("/")
        self._trusted = tuple(ip_network(text, strict=False) for text in trusted_proxies)

    def endpoint(self, scope: Scope) -> str:
        """`scheme://host[:port]` as the caller used it. Raises InvalidArgument when the host is none."""
        if self._external:
            return self._external
        headers: Headers = scope["headers"]
        scheme, host = scope.get("scheme", "http"), _header(headers, b"host")
        if self._trusted and self._is_trusted(scope):
            scheme = _first(_header(headers, b"x-forwarded-proto")) or scheme
            host = _first(_header(headers, b"x-forwarded-host")) or host
        if not host:
            server = scope.get("server") or ("localhost", None)
            host = server[0] if server[1] is None else f"{server[0]}:{server[1]}"
        if scheme not in {"http", "https"} or not _HOST.fullmatch(host):
            raise InvalidArgument("header Host: not a host name: invalid value: validation error")
        return f"{scheme}://{host}"

    def peer(self, scope: Scope) -> str:
        """The caller's address; behind a trusted proxy, the last address that the proxies did not add themselves."""
        peer = _socket_address(scope)
        if not self._trusted or not self._is_trusted(scope):
            return peer
        for hop in reversed(_header(scope["headers"], b"x-forwarded-for").split(",")):
            if hop.strip() and not self._contains(hop.strip()):
                return hop.strip()
        return peer

    def _is_trusted(self, scope: Scope) -> bool:
        return self._contains(_socket_address(scope))

    def _contains(self, text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


def _socket_address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _header(headers: Headers, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


def _first(value: str) -> str:
    return value.split(",", 1)[0].strip()
