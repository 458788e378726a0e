# SPDX-License-Identifier: Apache-2.0
"""Object paths and arithmetic on prefixes, on bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lakehouse.core.errors import InvalidPath, MissingValue
from lakehouse.core.ids import EntryPath

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PATH = 1024


def parse_path(text: str) -> EntryPath:
    """`text` as an object path. Raises MissingValue when empty, InvalidPath when too long or not UTF-8."""
    if not text:
        raise MissingValue("missing path: required value: validation error")
    return EntryPath(_encoded(text, what="path"))


def parse_paths(texts: Sequence[str]) -> list[EntryPath]:
    """Each of `texts` as an object path. Raises as `parse_path` for the first that is none."""
    try:
        raw = list(map(str.encode, texts))
    except UnicodeEncodeError:
        raw = []
    if all(raw) and max(map(len, raw), default=MAX_PATH + 1) <= MAX_PATH:
        return cast("list[EntryPath]", raw)
    return list(map(parse_path, texts))


def parse_prefix(text: str, *, what: str = "prefix") -> bytes:
    """`text` as a prefix, marker or delimiter of paths; may be empty. Raises InvalidPath as `parse_path`."""
    return _encoded(text, what=what)


def _encoded(text: str, *, what: str) -> bytes:
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise InvalidPath(f"argument {what}: not UTF-8: invalid value: validation error") from error
    if len(raw) > MAX_PATH:
        raise InvalidPath(f"argument {what}: longer than {MAX_PATH} bytes: invalid value: validation error")
    return raw


def after_prefix(prefix: bytes) -> bytes | None:
    """The least key that is greater than every key beginning with `prefix`; None when there is no such key."""
    end = prefix.rstrip(b"\xff")
    return end[:-1] + bytes((end[-1] + 1,)) if end else None


def successor(key: bytes) -> bytes:
    """The least key greater than `key`."""
    return key + b"\x00"


def grouped(path: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """The common prefix that `path` (which begins with `prefix`) rolls up into; None when it stands for itself."""
    if not delimiter:
        return None
    at = path.find(delimiter, len(prefix))
    return None if at < 0 else path[: at + len(delimiter)]
