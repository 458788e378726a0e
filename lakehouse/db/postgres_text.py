# SPDX-License-Identifier: Apache-2.0
"""Text with NUL characters, which PostgreSQL cannot store: they travel as two characters that it can.

U+0000 becomes U+0001 U+0001, and U+0001 becomes U+0001 U+0002: nothing is lost, equal texts stay equal, and texts keep
their order by code point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.adapt import Loader
from psycopg.pq import Format

if TYPE_CHECKING:
    from psycopg.abc import Buffer

_SENT = {0: "\x01\x01", 1: "\x01\x02"}


def stored(text: str) -> str:
    """The text as it is stored."""
    return text.translate(_SENT) if "\x00" in text or "\x01" in text else text


def restored(text: str) -> str:
    """The text that was stored."""
    return text.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01") if "\x01" in text else text


class TextLoader(Loader):
    """Text as PostgreSQL sends it in its binary format, which is UTF-8."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        """The text that was stored."""
        return restored(str(data, "utf-8"))
