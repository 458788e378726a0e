# SPDX-License-Identifier: Apache-2.0
"""From what people write to values: sizes, durations, lists, secrets. Raises ValueError with what was expected."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args, get_origin

import msgspec

from lakehouse.config.model import Secret

_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")
_SIZES = {"": 1, "b": 1} | {
    unit: step**power
    for power, letter in enumerate("kmgt", start=1)
    for unit, step in ((f"{letter}ib", 1024), (letter, 1024), (f"{letter}b", 1000))
}
_TIMES = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


def parse_size(text: str) -> int:
    """Bytes of `1048576`, `64MiB`, `5 GB`."""
    return int(_measured(text, _SIZES, "a size such as 64MiB"))


def parse_duration(text: str) -> float:
    """Seconds of `90`, `24h`, `500ms`."""
    return _measured(text, _TIMES, "a duration such as 24h")


def _measured(text: str, units: dict[str, Any], expected: str) -> float:
    match = _NUMBER.fullmatch(text)
    unit = None if match is None else units.get(match.group(2).lower())
    if match is None or unit is None:
        raise ValueError(f"expected {expected}")
    return float(match.group(1)) * float(unit)


def parse_value(kind: Any, given: object) -> Any:
    """`given` (text, or what a TOML file holds) as a value of the field type `kind`."""
    value = _parse(kind, given)
    try:
        return value if isinstance(value, Secret) else msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def _parse(kind: Any, given: object) -> Any:
    meta = next((m for m in getattr(kind, "__metadata__", ()) if isinstance(m, msgspec.Meta)), None)
    plain = get_args(kind)[0] if meta is not None else kind
    if plain is Secret:
        return Secret(_text(given))
    if not isinstance(given, str):
        return given
    if meta is not None and meta.title == "size":
        return parse_size(given)
    if meta is not None and meta.title == "duration":
        return parse_duration(given)
    if plain is bool:
        return _bool(given)
    if get_origin(plain) is tuple:
        return [part.strip() for part in given.split(",") if part.strip()]
    if plain is int:
        return _int(given)
    if get_origin(plain) is Literal and given not in get_args(plain):
        raise ValueError(f"expected one of {', '.join(get_args(plain))}")
    return given


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise ValueError("expected a text")  # noqa: TRY004  (one kind of error for the caller)
    return given


def _bool(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise ValueError("expected true or false")
    return text.lower() in _TRUE


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("expected a whole number") from None
