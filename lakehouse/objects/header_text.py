# SPDX-License-Identifier: Apache-2.0
"""Values of user metadata as headers carry them: ASCII as it is, everything else as RFC 2047 words."""

from __future__ import annotations

from email.errors import HeaderParseError
from email.header import Header, decode_header, make_header


def to_header(text: str) -> str:
    """`text` for a header."""
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=10**6).encode()


def from_header(value: str) -> str:
    """The text that a header's value stands for; a value that is no RFC 2047 stands for itself."""
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, UnicodeError, LookupError):
        return value
