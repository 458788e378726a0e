# SPDX-License-Identifier: Apache-2.0
"""The properties of a hook, one by one, with errors that say which of them is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from lakehouse.actions.outbound import LONGEST
from lakehouse.core.errors import HookFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def text(properties: Mapping[str, Any], name: str, *, default: str | None = None) -> str:
    """A text. Raises HookFailed when it is none, or not there and has no default."""
    value = properties.get(name, default)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise HookFailed(f"property {name}: " + ("missing" if value is None else "a text is expected"))
    return value


def seconds(properties: Mapping[str, Any], *, default: float) -> float:
    """`timeout`: `90s`, `1m30s`, `500ms`. Raises HookFailed."""
    if properties.get("timeout") is None:
        return default
    given = text(properties, "timeout")
    if not _DURATION.fullmatch(given):
        raise HookFailed(f"property timeout: {given!r}: a duration such as 1m or 30s is expected")
    return min(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(given)), LONGEST)


def with_query(url: str, properties: Mapping[str, Any]) -> str:
    """The URL with `query_params` behind it; a list repeats its parameter. Raises HookFailed."""
    wanted = _mapping(properties, "query_params")
    pairs = [
        (name, _scalar(value))
        for name, given in wanted.items()
        for value in (given if isinstance(given, list) else [given])
    ]
    if not pairs:
        return url
    address, mark, fragment = url.partition("#")
    return address + ("&" if "?" in address else "?") + urlencode(pairs) + mark + fragment


def headers(properties: Mapping[str, Any]) -> dict[str, str]:
    """`headers`. Raises HookFailed."""
    return {name: _scalar(value) for name, value in _mapping(properties, "headers").items()}


def _mapping(properties: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = properties.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise HookFailed(f"property {name}: a mapping is expected")
    return {str(key): one for key, one in value.items()}


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
