# SPDX-License-Identifier: Apache-2.0
"""Writing XML as S3 speaks it: escape and join."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_SPECIAL = re.compile('[&<>"\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]')
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def element(name: str, text: str | int) -> str:
    """An element with text."""
    return f"<{name}>{_SPECIAL.sub(_escaped, str(text))}</{name}>"


def parent(name: str, *children: str) -> str:
    """An element with elements."""
    return f"<{name}>{''.join(children)}</{name}>"


def document(name: str, *children: str, namespace: str = "") -> bytes:
    """A whole document in UTF-8."""
    mark = f' xmlns="{namespace}"' if namespace else ""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{mark}>{"".join(children)}</{name}>'
    return text.encode()


@lru_cache(maxsize=1024)
def timestamp(seconds: float) -> str:
    """Seconds since 1970 as S3 writes times: `2026-01-31T12:00:00.000Z`."""
    whole = datetime.fromtimestamp(int(seconds), UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{int(seconds * 1000) % 1000:03}Z"


def quoted(etag: str) -> str:
    """An ETag as it travels."""
    return f'"{etag}"'


def etag_element(etag: str) -> str:
    """An ETag in its element."""
    return f"<ETag>&quot;{_SPECIAL.sub(_escaped, etag)}&quot;</ETag>"


def _escaped(match: re.Match[str]) -> str:
    char = match.group()
    if "\ud800" <= char <= "\udfff":  # a byte that is not UTF-8 has no other form in XML
        return "\ufffd"
    return _NAMED.get(char) or f"&#x{ord(char):X};"
