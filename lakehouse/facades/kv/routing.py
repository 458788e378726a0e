# SPDX-License-Identifier: Apache-2.0
"""From method and path to a storage operation: a key is all that is left of the path.

Keys have slashes, empty segments and words such as `list` in them, so the method decides first and a key is never
looked into: `DELETE /data/list` deletes the key `list`. A key is percent-decoded once, as a whole.
"""

from __future__ import annotations

from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from lakehouse.asgi.router import MethodNotAllowed
from lakehouse.core.errors import EndpointNotFound, InvalidArgument

T = TypeVar("T")


class KeyRouter(Generic[T]):
    """Maps routes of the forms `/{storage_type}/word`, `/{storage_type}/word/{key}` and `/{storage_type}/{key}`."""

    __slots__ = ("_keyed", "_methods", "_whole", "_words")

    def __init__(self) -> None:
        self._words: dict[tuple[str, bytes], T] = {}
        self._keyed: dict[tuple[str, bytes], T] = {}
        self._whole: dict[str, T] = {}
        self._methods: set[str] = set()

    def add(self, method: str, path: str, target: T) -> None:
        """Add a route. Raises ValueError when it is taken."""
        rest = path.removeprefix("/{storage_type}/")
        word, _, key = rest.partition("/")
        if rest == _KEY:
            taken = self._whole.setdefault(method, target)
        else:
            routes = self._keyed if key == _KEY else self._words
            taken = routes.setdefault((method, word.encode()), target)
        if taken is not target:
            raise ValueError(f"two operations for {method} {path}")
        self._methods.add(method)

    def find(self, method: str, raw_path: bytes) -> tuple[T, dict[str, str]]:
        """The target, and storage type and key, of a path as it came over the wire, beginning with a slash.

        Raises EndpointNotFound, MethodNotAllowed; InvalidArgument for what is not UTF-8.
        """
        kind, slash, rest = raw_path[1:].partition(b"/")
        if method not in self._methods:
            raise MethodNotAllowed(self._methods)
        if not slash:
            raise EndpointNotFound(_UNKNOWN)
        if method in self._whole:
            return self._whole[method], {"storage_type": _text(kind), "key": _text(rest)}
        word, slash, key = rest.partition(b"/")
        if slash and (method, word) in self._keyed:
            return self._keyed[method, word], {"storage_type": _text(kind), "key": _text(key)}
        if not slash and (method, word) in self._words:
            return self._words[method, word], {"storage_type": _text(kind)}
        raise EndpointNotFound(_UNKNOWN)


_KEY = "{key}"
_UNKNOWN = "nothing is at this path: values are at STORAGE_TYPE/get/KEY, lists at STORAGE_TYPE/list"


def _text(raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise InvalidArgument("path: not UTF-8: invalid value: validation error") from error
