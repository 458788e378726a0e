# SPDX-License-Identifier: Apache-2.0
"""What is counted and measured: families of cells, each cell one number.

A family is declared with all the values that its labels can have, so the number of series is known at the start and
no request can add one. To count is to add to a cell of an array (0.05 us); a published array lies in a file that other
processes read (`telemetry.board`), so all workers of a server are one scrape.

Invariants: a cell has one writer at a time, a thread of this process; families are declared before the array is
published; a counter never goes down.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import product
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Kind = Literal["counter", "gauge", "histogram"]
Merge = Literal["sum", "max"]
Cells: TypeAlias = "array[float] | memoryview[float]"

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the classes of durations."""


class Family(msgspec.Struct, frozen=True):
    """Series of one name. `values` has one entry for each series: the values of `labels`, in their order.

    Its cells begin at `start`: one for each series, or, for a histogram, one for each class of `bounds`, one for what
    is above them all, and one for the sum. `merge`: what several processes' gauges are together.
    """

    name: str
    help: str
    kind: Kind
    labels: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    bounds: tuple[float, ...]
    merge: Merge
    start: int

    @property
    def width(self) -> int:
        """Cells of one series."""
        return len(self.bounds) + 2 if self.kind == "histogram" else 1

    @property
    def end(self) -> int:
        """The cell after the last."""
        return self.start + self.width * len(self.values)


class Metrics:
    """The families of one process.

    A room that wants figures of its own declares families when the server is put together, and either keeps the
    `Cell`s and adds to them, or keeps plain numbers of its own and has them copied by a function given to `sample`.
    """

    def __init__(self) -> None:
        self.cells: Cells = array("d", [0.0])
        self.families: dict[str, Family] = {}
        self._samplers: list[Callable[[], None]] = []
        self._published = False

    def counter(self, name: str, help: str, **labels: Sequence[str]) -> Series:  # noqa: A002  (as the format calls it)
        """A number that grows. `labels`: to each label all of its values. Raises ValueError, RuntimeError."""
        return Series(self, self._declare(name, help, "counter", labels))

    def gauge(self, name: str, help: str, *, merge: Merge = "sum", **labels: Sequence[str]) -> Series:  # noqa: A002
        """A number that goes up and down. Raises as `counter`."""
        return Series(self, self._declare(name, help, "gauge", labels, merge=merge))

    def histogram(
        self,
        name: str,
        help: str,  # noqa: A002
        *,
        bounds: tuple[float, ...] = SECONDS,
        **labels: Sequence[str],
    ) -> Histograms:
        """How often values were up to each of `bounds`. Raises as `counter`."""
        return Histograms(self, self._declare(name, help, "histogram", labels, bounds=bounds))

    def sample(self, sampler: Callable[[], None]) -> None:
        """Have `sampler` called every few seconds and before each scrape: it sets cells. It must be quick."""
        self._samplers.append(sampler)

    def sampled(self) -> None:
        """Call the samplers."""
        for sampler in self._samplers:
            sampler()

    def publish(self, cells: memoryview[float]) -> None:
        """Count in `cells` from now on; what was counted is added to what is there. Nothing can be declared after."""
        for number, value in enumerate(self.cells):
            if value:
                cells[number] += value
        self.cells = cells
        self._published = True

    def withdraw(self) -> None:
        """Count in an array of this process again, from zero."""
        self.cells = array("d", bytes(8 * len(self.cells)))

    def _declare(
        self,
        name: str,
        help: str,  # noqa: A002
        kind: Kind,
        labels: Mapping[str, Sequence[str]],
        *,
        bounds: tuple[float, ...] = (),
        merge: Merge = "sum",
    ) -> Family:
        if self._published:
            raise RuntimeError(f"{name}: declare families before the server starts")
        if name in self.families:
            raise ValueError(f"{name} is declared twice")
        values = tuple(product(*labels.values()))
        family = Family(name, help, kind, tuple(labels), values, bounds, merge, len(self.cells))
        self.cells = array("d", [*self.cells, *[0.0] * (family.end - family.start)])
        self.families[name] = family
        return family


class Cell:
    """One number."""

    __slots__ = ("_at", "_last", "_metrics")

    def __init__(self, metrics: Metrics, at: int) -> None:
        self._metrics = metrics
        self._at = at
        self._last = 0.0

    @property
    def value(self) -> float:
        return self._metrics.cells[self._at]

    def add(self, amount: float = 1.0) -> None:
        """Count."""
        self._metrics.cells[self._at] += amount

    def set(self, value: float) -> None:
        """For gauges."""
        self._metrics.cells[self._at] = value

    def total(self, value: float) -> None:
        """For counters that somebody else counts: the whole of it, in this process, is now `value`."""
        self._metrics.cells[self._at] += value - self._last
        self._last = value


class Series:
    """The cells of a counter or gauge, by the values of its labels."""

    def __init__(self, metrics: Metrics, family: Family) -> None:
        self.family = family
        self._cells = {
            values: Cell(metrics, family.start + number * family.width) for number, values in enumerate(family.values)
        }

    def at(self, *values: str) -> Cell:
        """The cell of these values. Raises KeyError."""
        return self._cells[values]

    def __iter__(self) -> Iterator[tuple[tuple[str, ...], Cell]]:
        return iter(self._cells.items())


class Histogram:
    """The distribution of some values in this process, in plain numbers. One thread observes."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Histograms:
    """The cells of a histogram, by the values of its labels."""

    def __init__(self, metrics: Metrics, family: Family) -> None:
        self.family = family
        self._metrics = metrics
        self._starts = {values: family.start + number * family.width for number, values in enumerate(family.values)}
        self._last: dict[tuple[str, ...], list[float]] = {}

    def start(self, *values: str) -> int:
        """The first cell of these values, for whoever counts in bulk. Raises KeyError."""
        return self._starts[values]

    def observe(self, value: float, *values: str) -> None:
        """Count a value."""
        start, cells, bounds = self._starts[values], self._metrics.cells, self.family.bounds
        cells[start + bisect_left(bounds, value)] += 1.0
        cells[start + len(bounds) + 1] += value

    def total(self, seen: Histogram, *values: str) -> None:
        """Take over what somebody else observes in this process: the whole of it is now `seen`."""
        start, cells = self._starts[values], self._metrics.cells
        now = [*seen.counts, seen.sum]
        before = self._last.get(values) or [0.0] * len(now)
        for number, (new, old) in enumerate(zip(now, before, strict=True)):
            cells[start + number] += new - old
        self._last[values] = now
