# SPDX-License-Identifier: Apache-2.0
"""The markers of parameters: `?` as the engine writes them, `$1` as PostgreSQL reads them."""

from __future__ import annotations

import re

_TOKENS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\?""")


def numbered(sql: str) -> str:
    """`sql` with its `?` as `$1`, `$2`, ..; what is in quotes stays as it is."""
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        if found.group() != "?":
            return found.group()
        count += 1
        return f"${count}"

    return _TOKENS.sub(number, sql)
