# SPDX-License-Identifier: Apache-2.0
"""ETags and the conditions that the REST surface understands; what it does not understand is refused, not ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.core.errors import ConditionUnsupported

if TYPE_CHECKING:
    from lakehouse.asgi.call import Call


def etag(checksum: str) -> str:
    """The ETag header of an object with this checksum."""
    return f'"{checksum}"'


def not_modified(call: Call[Any, Any], checksum: str) -> bool:
    """Whether If-None-Match is exactly this object's ETag. Lists and `*` are not looked into."""
    return call.header(b"if-none-match") == etag(checksum)


def only_if_absent(call: Call[Any, Any]) -> bool:
    """Whether a write asks that nothing be there: `If-None-Match: *`.

    Raises ConditionUnsupported for any other If-None-Match and for any If-Match.
    """
    none_match = call.header(b"if-none-match")
    if call.header(b"if-match") is not None:
        raise ConditionUnsupported("If-Match is not supported on this operation: Not Implemented")
    if none_match is None:
        return False
    if none_match.strip() != "*":
        raise ConditionUnsupported("If-None-Match is supported as `*` only: Not Implemented")
    return True


def expected_version(call: Call[Any, Any]) -> str | None:
    """If-Match of a setting, without quotes: None means whatever is there, "" that nothing is."""
    value = call.header(b"if-match")
    return None if value is None else value.strip().removeprefix("W/").strip('"')
