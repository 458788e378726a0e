# SPDX-License-Identifier: Apache-2.0
"""From method and path to an operation: a trie of path segments.

At each segment a static name wins over a parameter; there is no going back. Segments are percent-decoded one by one, so
that an encoded slash stays part of a value.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import unquote_to_bytes

from lakehouse.core.errors import EndpointNotFound, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

_SHORT = 256
"""Bytes of a path up to which it is remembered where it led: the same few come over and over, with other queries."""


class MethodNotAllowed(Exception):
    """Operations have this path, but with other methods: those in `allowed`."""

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__()
        self.allowed = tuple(sorted(allowed))


class _Node(Generic[T]):
    __slots__ = ("parameter", "routes", "static")

    def __init__(self) -> None:
        self.static: dict[str, _Node[T]] = {}
        self.parameter: _Node[T] | None = None
        self.routes: dict[str, tuple[T, tuple[str, ...]]] = {}


class Router(Generic[T]):
    """Maps routes to targets of any type."""

    __slots__ = ("_found", "_root")

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._found = lru_cache(maxsize=1024)(self._find)

    def add(self, method: str, path: str, target: T) -> None:
        """Add a route; `path` such as `/repositories/{repository}`. Raises ValueError when it is taken."""
        node, names = self._root, []
        for segment in path.lstrip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.static.setdefault(segment, _Node())
        if method in node.routes:
            raise ValueError(f"two operations for {method} {path}")
        node.routes[method] = (target, tuple(names))
        self._found.cache_clear()

    def find(self, method: str, raw_path: bytes) -> tuple[T, dict[str, str]]:
        """The target and its path parameters, for a path as it came over the wire, beginning with a slash.

        Raises EndpointNotFound, MethodNotAllowed; InvalidArgument for an empty parameter or one that is not UTF-8.
        """
        find = self._found if len(raw_path) <= _SHORT else self._find
        target, parameters = find(method, raw_path)
        return target, parameters.copy()

    def _find(self, method: str, raw_path: bytes) -> tuple[T, dict[str, str]]:
        node = self._root
        values: list[str] = []
        for segment in _segments(raw_path):
            following = node.static.get(segment)
            if following is None:
                following = node.parameter
                if following is None:
                    raise EndpointNotFound
                values.append(segment)
            node = following
        if not node.routes or (values and not values[-1] and raw_path.endswith(b"/")):
            raise EndpointNotFound
        found = node.routes.get(method)
        if found is None:
            raise MethodNotAllowed(node.routes)
        target, names = found
        parameters = dict(zip(names, values, strict=True))
        if "" in values:
            empty = next(name for name, value in parameters.items() if not value)
            raise InvalidArgument(f"parameter {empty} in path: is empty: invalid value: validation error")
        return target, parameters


def _segments(raw_path: bytes) -> list[str]:
    try:
        if b"%" not in raw_path:
            return raw_path[1:].decode().split("/")
        return [unquote_to_bytes(segment).decode() for segment in raw_path[1:].split(b"/")]
    except UnicodeDecodeError as error:
        raise InvalidArgument("path: not UTF-8: invalid value: validation error") from error
