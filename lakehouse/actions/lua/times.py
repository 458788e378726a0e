# SPDX-License-Identifier: Apache-2.0
"""Times of scripts: nanoseconds since 1970, and layouts that are written as one moment, 2 January 2006, 15:04:05.

Zones are UTC and offsets from it (`+02:00`): a script's process can open no table of zones.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 1_000_000_000
_UNITS = {
    "hour": 3600 * SECOND,
    "minute": 60 * SECOND,
    "second": SECOND,
    "millisecond": 1_000_000,
    "microsecond": 1000,
    "nanosecond": 1,
}
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_MONTHS = [date(2006, month, 1).strftime("%B") for month in range(1, 13)]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_PART = re.compile(
    r"2006|January|Jan|Monday|Mon|MST|Z07:00|-07:00|-0700|15|01|02|03|04|05|06|_2|PM|pm|[.,](?:0+|9+)(?!\d)|1|2|3"
)


def _moment(nanoseconds: Any, zone: str = "UTC") -> datetime:
    if isinstance(nanoseconds, int | float) and not isinstance(nanoseconds, bool):
        seconds, rest = divmod(int(nanoseconds), SECOND)
        return datetime.fromtimestamp(seconds, _zone(zone)).replace(microsecond=rest // 1000)
    raise ValueError("a time in nanoseconds is expected")


def _zone(name: str) -> timezone:
    if name in ("", "UTC", "Z"):
        return UTC
    found = _OFFSET.fullmatch(name)
    if found is None:
        raise ValueError(f"zone {name!r}: UTC or an offset such as +02:00 is expected")
    return timezone((-1 if found[1] == "-" else 1) * timedelta(hours=int(found[2]), minutes=int(found[3])))


def _offset(moment: datetime, colon: str, *, letter: bool = False) -> str:
    seconds = int((moment.utcoffset() or timedelta()).total_seconds())
    if letter and not seconds:
        return "Z"
    sign, minutes = ("-" if seconds < 0 else "+"), abs(seconds) // 60
    return f"{sign}{minutes // 60:02d}{colon}{minutes % 60:02d}"


_WRITTEN: dict[str, Callable[[datetime], str]] = {
    "2006": lambda one: f"{one.year:04d}",
    "06": lambda one: f"{one.year % 100:02d}",
    "January": lambda one: _MONTHS[one.month - 1],
    "Jan": lambda one: _MONTHS[one.month - 1][:3],
    "01": lambda one: f"{one.month:02d}",
    "1": lambda one: str(one.month),
    "Monday": lambda one: _DAYS[one.weekday()],
    "Mon": lambda one: _DAYS[one.weekday()][:3],
    "02": lambda one: f"{one.day:02d}",
    "_2": lambda one: f"{one.day:2d}",
    "2": lambda one: str(one.day),
    "15": lambda one: f"{one.hour:02d}",
    "03": lambda one: f"{(one.hour + 11) % 12 + 1:02d}",
    "3": lambda one: str((one.hour + 11) % 12 + 1),
    "04": lambda one: f"{one.minute:02d}",
    "05": lambda one: f"{one.second:02d}",
    "PM": lambda one: "PM" if one.hour >= 12 else "AM",
    "pm": lambda one: "pm" if one.hour >= 12 else "am",
    "MST": lambda one: "UTC" if not one.utcoffset() else _offset(one, ""),
    "Z07:00": lambda one: _offset(one, ":", letter=True),
    "-07:00": lambda one: _offset(one, ":"),
    "-0700": lambda one: _offset(one, ""),
}
_READ = {
    "2006": r"(?P<year>\d{4})",
    "06": r"(?P<short>\d{2})",
    "January": r"(?P<month_name>[A-Z][a-z]+)",
    "Jan": r"(?P<month_name>[A-Z][a-z]{2})",
    "01": r"(?P<month>\d{2})",
    "1": r"(?P<month>\d{1,2})",
    "Monday": r"[A-Z][a-z]+",
    "Mon": r"[A-Z][a-z]{2}",
    "02": r"(?P<day>\d{2})",
    "_2": r" ?(?P<day>\d{1,2})",
    "2": r"(?P<day>\d{1,2})",
    "15": r"(?P<hour>\d{2})",
    "03": r"(?P<half>\d{2})",
    "3": r"(?P<half>\d{1,2})",
    "04": r"(?P<minute>\d{2})",
    "05": r"(?P<second>\d{2})(?P<fraction>[.,]\d+)?",
    "PM": r"(?P<noon>AM|PM)",
    "pm": r"(?P<noon>am|pm)",
    "MST": r"(?:UTC|GMT)",
    "Z07:00": r"(?P<zone>Z|[+-]\d\d:\d\d)",
    "-07:00": r"(?P<zone>[+-]\d\d:\d\d)",
    "-0700": r"(?P<zone>[+-]\d{4})",
}


def _format(nanoseconds: Any, layout: str, zone: str = "UTC") -> str:
    moment = _moment(nanoseconds, zone)
    rest = f"{int(nanoseconds) % SECOND:09d}"

    def written(found: re.Match[str]) -> str:
        part = found.group()
        if part[0] not in ".,":
            return _WRITTEN[part](moment)
        digits = rest[: len(part) - 1].ljust(len(part) - 1, "0")
        digits = digits.rstrip("0") if part[1] == "9" else digits
        return part[0] + digits if digits else ""

    return _PART.sub(written, layout)


def _parse(layout: str, text: str) -> int:
    """Nanoseconds since 1970. Raises ValueError where the text is not as the layout has it."""
    pattern, at = "", 0
    for found in _PART.finditer(layout):
        part = found.group()
        pattern += re.escape(layout[at : found.start()]) + _READ.get(part, "")
        at = found.end()
    read = re.fullmatch(pattern + re.escape(layout[at:]), text)
    if read is None:
        raise ValueError(f"{text!r} is not written as {layout!r}")
    parts = read.groupdict()
    moment = datetime(
        int(parts.get("year") or 2000 + int(parts.get("short") or 0)),
        _month(parts),
        int(parts.get("day") or 1),
        _hour(parts),
        int(parts.get("minute") or 0),
        int(parts.get("second") or 0),
        tzinfo=_zone(parts.get("zone") or ""),
    )
    rest = (parts.get("fraction") or ".")[1:10].ljust(9, "0")
    return int(moment.timestamp()) * SECOND + int(rest)


def _month(parts: dict[str, Any]) -> int:
    name = parts.get("month_name")
    if not name:
        return int(parts.get("month") or 1)
    return 1 + next(at for at, one in enumerate(_MONTHS) if one == name or one[:3] == name)


def _hour(parts: dict[str, Any]) -> int:
    if parts.get("half"):
        return int(parts["half"]) % 12 + (12 if str(parts.get("noon")).upper() == "PM" else 0)
    return int(parts.get("hour") or 0)


def _parse_iso(text: str) -> int:
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (int(moment.timestamp()) * 1_000_000 + moment.microsecond) * 1000


def _add(nanoseconds: Any, more: dict[str, Any]) -> int:
    unknown = set(more) - set(_UNITS)
    if unknown:
        raise ValueError(f"{min(unknown)!r} is no unit; there are {', '.join(_UNITS)}")
    return int(nanoseconds) + sum(int(count * _UNITS[unit]) for unit, count in more.items())


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "now": time.time_ns,
    "since": lambda nanoseconds: time.time_ns() - int(nanoseconds),
    "add": _add,
    "format": _format,
    "format_iso": lambda nanoseconds, zone="UTC": _moment(nanoseconds, zone).isoformat(timespec="seconds"),
    "parse": _parse,
    "parse_iso": _parse_iso,
    "sleep": lambda nanoseconds: time.sleep(int(nanoseconds) / SECOND),
}
