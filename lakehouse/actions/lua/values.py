# SPDX-License-Identifier: Apache-2.0
"""Values on their way between Lua and Python.

A string of Lua is bytes; in the runtime each byte is a character (Latin-1), so nothing is lost. Text in Python's sense
is UTF-8 in Lua. A table whose keys are 1 to n is a list, any other a mapping with keys of text; an empty one is a
mapping unless it is marked as an array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lupa.lua54 import lua_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from lupa.lua54 import LuaRuntime

DEEPEST = 100
_PLAIN = (bool, int, float)


class Values:
    """Converts for one runtime. `mark` and `marked` are the prelude's: they note that a table is an array. `longest`:
    most bytes of a string that Lua is given; the runtime does not survive one that it has no memory for.
    """

    def __init__(
        self, lua: LuaRuntime, mark: Callable[[Any], Any], marked: Callable[[Any], bool], *, longest: int
    ) -> None:
        self._lua = lua
        self._longest = longest
        self._mark = mark
        self._marked = marked

    def to_lua(self, value: Any) -> Any:
        """A value as Lua has it. None is nil, and so leaves no trace in a table. Raises ValueError: too long a text."""
        if value is None or isinstance(value, _PLAIN):
            return value
        if isinstance(value, bytes):
            return self._bounded(value.decode("latin-1"))
        if isinstance(value, dict):
            return self._lua.table_from({as_text(str(key)): self.to_lua(one) for key, one in value.items()})
        if isinstance(value, list | tuple):
            return self._mark(self._lua.table_from([self.to_lua(one) for one in value]))
        return self._bounded(as_text(str(value)))

    def _bounded(self, text: str) -> str:
        if len(text) > self._longest:
            raise ValueError(f"a string of {len(text)} bytes is too long for the memory of a script")
        return text

    def from_lua(self, value: Any, depth: int = 0) -> Any:
        """A value of Lua: text where its bytes are UTF-8, else bytes. Raises ValueError for what has no meaning."""
        if value is None or isinstance(value, _PLAIN):
            return value
        if isinstance(value, str):
            raw = as_bytes(value)
            try:
                return raw.decode()
            except UnicodeDecodeError:
                return raw
        if lua_type(value) != "table":
            raise ValueError(f"a {lua_type(value)} cannot be handed over")
        if depth > DEEPEST:
            raise ValueError("a table is nested too deeply, or holds itself")
        items = dict(value.items())
        if self._marked(value) or (items and set(items) == set(range(1, len(items) + 1))):
            return [self.from_lua(items[at], depth + 1) for at in range(1, len(items) + 1) if at in items]
        return {_key(key): self.from_lua(one, depth + 1) for key, one in items.items()}


def _key(key: Any) -> str:
    if isinstance(key, str):
        return as_bytes(key).decode(errors="replace")
    if isinstance(key, int | float) and not isinstance(key, bool):
        return str(key)
    raise ValueError("a table has a key that is neither a text nor a number")


def as_text(text: str) -> str:
    """A text as Lua has it."""
    return text.encode(errors="surrogateescape").decode("latin-1")


def as_bytes(text: str) -> bytes:
    """The bytes of a string of Lua; what is no such string (a message of the runtime's own) is UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode(errors="replace")
