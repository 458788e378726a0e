# SPDX-License-Identifier: Apache-2.0
"""Tags of an object: at most ten short names with values, kept as one text in the form of a query."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from lakehouse.s3.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Sequence

TAGGING = ":tagging"
"""Name of the tags among an entry's metadata."""
_MOST = 10
_LONGEST_NAME, _LONGEST_VALUE = 128, 256


def header_tags(text: str) -> str:
    """The tags of the header `x-amz-tagging`, as they are kept. Raises S3Error InvalidArgument, InvalidTag."""
    try:
        return kept_tags(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict"))
    except ValueError as error:
        raise S3Error("InvalidArgument", "x-amz-tagging must be of the form name=value&name=value") from error


def kept_tags(tags: Sequence[tuple[str, str]]) -> str:
    """As they are kept. Raises S3Error InvalidTag."""
    if len(tags) > _MOST or len(dict(tags)) < len(tags):
        raise S3Error("InvalidTag", f"an object has at most {_MOST} tags, each name once")
    for name, value in tags:
        if not 1 <= len(name) <= _LONGEST_NAME or len(value) > _LONGEST_VALUE:
            raise S3Error(
                "InvalidTag", f"a tag's name has 1 to {_LONGEST_NAME} characters, its value at most {_LONGEST_VALUE}"
            )
    return urlencode(tags)


def read_tags(kept: str) -> list[tuple[str, str]]:
    """Names and values of what is kept."""
    return parse_qsl(kept, keep_blank_values=True)
