# SPDX-License-Identifier: Apache-2.0
"""The functions of scripts that Python does better than Lua: by module and name, on plain values.

They compute and do nothing else. Text that is not UTF-8 arrives as bytes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit, urlunsplit

import msgspec
import yaml

from lakehouse.actions.lua import times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SEPARATOR = "/"
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
"""Base 85 of ZeroMQ (RFC 32/Z85)."""


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise ValueError("a string is expected")


def _text(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return value
    raise ValueError("a string is expected")


def _shown(value: Any) -> Any:
    """For JSON and YAML, which have no bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


# -- encoding ----------------------------------------------------------------------------------------------------------


def _json_marshal(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=_shown, order="deterministic").decode()


def _json_unmarshal(text: Any) -> Any:
    return msgspec.json.decode(_bytes(text))


def _yaml_marshal(value: Any) -> str:
    made: str = yaml.safe_dump(value, sort_keys=True, allow_unicode=True)
    return made


def _yaml_unmarshal(text: Any) -> Any:
    return yaml.safe_load(_bytes(text))


def _url_decode(text: Any) -> bytes:
    return base64.b64decode(_bytes(text), altchars=b"-_", validate=True)


def _z85_encode(data: Any) -> str:
    raw = _bytes(data)
    if len(raw) % 4:
        raise ValueError("z85 takes a multiple of 4 bytes")
    made = []
    for start in range(0, len(raw), 4):
        number = int.from_bytes(raw[start : start + 4], "big")
        made += [_Z85[number // 85**place % 85] for place in (4, 3, 2, 1, 0)]
    return "".join(made)


def _z85_decode(text: Any) -> bytes:
    written = _text(text)
    if len(written) % 5:
        raise ValueError("z85 is a multiple of 5 characters")
    made = b""
    for start in range(0, len(written), 5):
        number = 0
        for character in written[start : start + 5]:
            number = number * 85 + _Z85.index(character)
        if number >> 32:
            raise ValueError("these 5 characters are no z85")
        made += number.to_bytes(4, "big")
    return made


# -- crypto ------------------------------------------------------------------------------------------------------------


def _sign(algorithm: str) -> Callable[[Any, Any], bytes]:
    return lambda message, key: hmac.digest(_bytes(key), _bytes(message), algorithm)


def _digest(algorithm: str) -> Callable[[Any], bytes]:
    return lambda data: hashlib.new(algorithm, _bytes(data), usedforsecurity=False).digest()


# -- strings and regular expressions -----------------------------------------------------------------------------------


def _split(text: Any, separator: Any) -> list[str]:
    return list(_text(text)) if separator == "" else _text(text).split(_text(separator))


def _replace(text: Any, old: Any, new: Any, count: Any = -1) -> str:
    return _text(text).replace(_text(old), _text(new), int(count))


def _check(pattern: Any) -> None:
    re.compile(_text(pattern))


def _find(pattern: str, text: Any) -> str:
    found = re.search(pattern, _text(text))
    return found.group() if found else ""


def _find_all(pattern: str, text: Any, count: Any = -1) -> list[str]:
    return [one[0] for one in _find_all_submatch(pattern, text, count)]


def _find_submatch(pattern: str, text: Any) -> list[str]:
    found = re.search(pattern, _text(text))
    return _groups(found) if found else []


def _find_all_submatch(pattern: str, text: Any, count: Any = -1) -> list[list[str]]:
    found: list[list[str]] = []
    for one in re.finditer(pattern, _text(text)):
        if len(found) == int(count):
            break
        found.append(_groups(one))
    return found


def _groups(found: re.Match[str]) -> list[str]:
    return [found.group(), *(one or "" for one in found.groups())]


# -- paths and URLs ----------------------------------------------------------------------------------------------------


def _parse_path(text: Any, separator: Any = SEPARATOR) -> dict[str, str]:
    parent, cut, name = _text(text).rpartition(separator)
    return {"parent": parent + cut, "base_name": name}


def _join(separator: Any, *parts: Any) -> str:
    """The parts with one separator between each two, however many they bring along."""
    cut, joined = _text(separator), ""
    for part in map(_text, parts):
        if joined and not joined.endswith(cut):
            joined += cut
        joined += part.removeprefix(cut) if joined else part
    return joined


def _is_hidden(text: Any, separator: Any = SEPARATOR, prefix: Any = "_") -> bool:
    return any(part.startswith(prefix) for part in _text(text).split(separator))


def _parse_url(text: Any) -> dict[str, Any]:
    found = urlsplit(_text(text))
    query = parse_qs(found.query, keep_blank_values=True)
    return {
        "scheme": found.scheme,
        "host": found.netloc.rpartition("@")[2],
        "path": found.path,
        "rawquery": found.query,
        "fragment": found.fragment,
        "query": query,
    }


def _build_url(parts: Mapping[str, Any]) -> str:
    query = parts.get("query")
    written = urlencode(query, doseq=True) if isinstance(query, dict) and query else str(parts.get("rawquery", ""))
    taken = [str(parts.get(name, "")) for name in ("scheme", "host", "path")]
    return urlunsplit((*taken, written, str(parts.get("fragment", ""))))


MODULES: dict[str, dict[str, Callable[..., Any]]] = {
    "json": {"marshal": _json_marshal, "unmarshal": _json_unmarshal},
    "yaml": {"marshal": _yaml_marshal, "unmarshal": _yaml_unmarshal},
    "base64": {
        "encode": lambda data: base64.b64encode(_bytes(data)),
        "decode": lambda data: base64.b64decode(_bytes(data), validate=True),
        "url_encode": lambda data: base64.urlsafe_b64encode(_bytes(data)),
        "url_decode": _url_decode,
    },
    "hex": {"encode": lambda data: _bytes(data).hex(), "decode": lambda text: bytes.fromhex(_text(text))},
    "z85": {"encode": _z85_encode, "decode": _z85_decode},
    "hmac": {"sign_sha256": _sign("sha256"), "sign_sha1": _sign("sha1")},
    "sha256": {"digest": _digest("sha256")},
    "md5": {"digest": _digest("md5")},
    "strings": {
        "split": _split,
        "trim": lambda text: _text(text).strip(),
        "replace": _replace,
        "has_prefix": lambda text, prefix: _text(text).startswith(_text(prefix)),
        "has_suffix": lambda text, suffix: _text(text).endswith(_text(suffix)),
        "contains": lambda text, part: _text(part) in _text(text),
    },
    "regexp": {
        "match": lambda pattern, text: re.search(_text(pattern), _text(text)) is not None,
        "quote_meta": lambda text: re.escape(_text(text)),
        "check": _check,
        "find": _find,
        "find_all": _find_all,
        "find_submatch": _find_submatch,
        "find_all_submatch": _find_all_submatch,
    },
    "path": {
        "parse": _parse_path,
        "join": _join,
        "is_hidden": _is_hidden,
        "default_separator": lambda: SEPARATOR,
    },
    "url": {
        "parse": _parse_url,
        "build": _build_url,
        "escape": lambda text: quote(_text(text), safe=""),
        "unescape": lambda text: unquote(_text(text)),
    },
    "uuid": {"new": lambda: str(uuid.uuid4())},
    "time": times.FUNCTIONS,
}
