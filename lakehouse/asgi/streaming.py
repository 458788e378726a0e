# SPDX-License-Identifier: Apache-2.0
"""Answers whose bodies are users' bytes: objects, whole or in part.

Invariant: such bytes are never run in the server's origin. They come sandboxed, with their type not to be guessed, and
what a browser would run (HTML, SVG, XML) comes as an attachment.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from lakehouse.asgi.conditional import etag
from lakehouse.asgi.ranges import content_range
from lakehouse.asgi.responses import Response

if TYPE_CHECKING:
    from lakehouse.asgi.types import Headers
    from lakehouse.objects.port import ObjectReader

DEFAULT_TYPE = "application/octet-stream"
WHOLE = 256 * 1024
"""Bodies up to this many bytes are sent in one piece."""

_SHOWN = frozenset(
    {
        "image/jpeg", "image/jpg", "image/png", "image/gif", "image/webp", "application/pdf", "application/json",
        "text/plain", "text/markdown", "text/x-markdown", "text/css", "video/mp4", "video/webm", "audio/mpeg",
        "audio/wav", "audio/webm",
    }
)  # fmt: skip
SAFETY: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
    (b"cache-control", b"no-store, must-revalidate"),
    (b"expires", b"0"),
]
"""On every answer with users' bytes."""


class ObjectFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the headers of an object are made of. `mtime` in seconds, `path` names the download."""

    path: str
    size: int
    checksum: str
    mtime: int
    content_type: str = ""


def object_headers(facts: ObjectFacts) -> Headers:
    """Headers for the bytes of an object, without length and range."""
    kind = facts.content_type or DEFAULT_TYPE
    return [
        (b"content-type", _header_value(kind)),
        (b"etag", _header_value(etag(facts.checksum))),
        (b"last-modified", formatdate(facts.mtime, usegmt=True).encode()),
        (b"content-disposition", disposition(facts.path, kind)),
        *SAFETY,
    ]


async def object_response(facts: ObjectFacts, reader: ObjectReader, *, partial: bool) -> Response:
    """The bytes that `reader` gives: 206 with their place in the object when `partial`, else 200. Small ones are read
    here, so that their errors can still be answered; the others are streamed.
    """
    headers = object_headers(facts)
    if partial:
        headers.append((b"content-range", content_range(reader.start, reader.length, facts.size)))
    status = 206 if partial else 200
    if reader.length <= WHOLE:
        return Response(status, headers, await reader.read())
    headers.append((b"content-length", b"%d" % reader.length))
    return Response(status, headers, reader.body)


def head_response(facts: ObjectFacts, *, span: tuple[int, int] | None) -> Response:
    """The headers of the same answer; `span` is start and length of a part."""
    start, length = span or (0, facts.size)
    headers = object_headers(facts)
    headers += [(b"accept-ranges", b"bytes"), (b"content-length", b"%d" % length)]
    if span is not None:
        headers.append((b"content-range", content_range(start, length, facts.size)))
    return Response(200 if span is None else 206, headers)


def not_modified_response() -> Response:
    """304, without an ETag."""
    return Response(304)


def disposition(path: str, content_type: str) -> bytes:
    """Content-Disposition with a file name, because there are clients that fail without one."""
    name = path.rstrip("/").rsplit("/", 1)[-1] or "object"
    plain = "".join(char if " " <= char <= "~" and char not in '"\\' else "_" for char in name)
    kind = "inline" if content_type in _SHOWN else "attachment"
    extended = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'{kind}; filename="{plain}"{extended}'.encode()


def _header_value(text: str) -> bytes:
    return "".join(char if " " <= char != "\x7f" else " " for char in text).encode()
