# SPDX-License-Identifier: Apache-2.0
"""Lists of any length, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lakehouse.wire.paging import Pagination

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Listing(Protocol[T_co]):
    """A page as the API sends it."""

    @property
    def pagination(self) -> Pagination: ...

    @property
    def results(self) -> Sequence[T_co]: ...


def each(fetch: Callable[[str], Listing[T]], after: str = "") -> Iterator[T]:
    """The items of all pages; `fetch` gets the page after an offset."""
    while True:
        page = fetch(after)
        yield from page.results
        if not page.pagination.has_more:
            return
        after = page.pagination.next_offset
