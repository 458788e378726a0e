# SPDX-License-Identifier: Apache-2.0
"""What all lists share: the parameters that ask for a page, and the object that describes the page."""

from __future__ import annotations

from typing import Annotated

import msgspec

MAX_PER_PAGE = 1000
DEFAULT_AMOUNT = 100

Amount = Annotated[int, msgspec.Meta(ge=-1, le=MAX_PER_PAGE)]
Required = Annotated[str, msgspec.Meta(min_length=1)]
"""A string that must be there and must not be empty."""


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which page of a list: ids strictly after `after` in bytewise order, that begin with `prefix`."""

    prefix: str = ""
    after: str = ""
    amount: Amount = DEFAULT_AMOUNT

    @property
    def limit(self) -> int:
        """How many items are wanted: 0 and -1 mean the default."""
        return self.amount if self.amount > 0 else DEFAULT_AMOUNT


class Pagination(msgspec.Struct, frozen=True):
    """`next_offset` is the key of the last item when there is more, else ""."""

    has_more: bool
    next_offset: str
    results: int
    max_per_page: int = MAX_PER_PAGE


def page_of(keys: int, *, last: str, has_more: bool) -> Pagination:
    """The description of a page of `keys` items whose last one has the key `last`."""
    return Pagination(has_more, last if has_more else "", keys)


class ForceQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`force` lets a write through to a read-only repository."""

    force: bool = False
