# SPDX-License-Identifier: Apache-2.0
"""Figures as text, in the format that Prometheus reads (version 0.0.4), summed over processes.

What never happened is left out, so that a page holds what is in use: series that differ in their last label only (the
outcome) come together, with the first of them that is not zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lakehouse.telemetry.board import Sheet
    from lakehouse.telemetry.metrics import Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Shape = tuple[str, str, tuple[str, ...], tuple[float, ...]]


def exposition(sheets: Sequence[Sheet]) -> bytes:
    """The page. Of families that go by one name but differ in kind, labels or classes, the first counts."""
    families: dict[str, Family] = {}
    sums: dict[str, dict[tuple[str, ...], list[float]]] = {}
    for sheet in sheets:
        for family in sheet.families:
            first = families.setdefault(family.name, family)
            if _shape(family) == _shape(first) and (sheet.alive or family.kind != "gauge"):
                _add(sums.setdefault(family.name, {}), family, sheet.cells)
    lines: list[str] = []
    for name, family in sorted(families.items()):
        shown = _lines(family, sums.get(name, {}))
        if shown:
            lines += (f"# HELP {name} {_escaped(family.help)}", f"# TYPE {name} {family.kind}", *shown)
    return ("\n".join(lines) + "\n").encode()


def _shape(family: Family) -> _Shape:
    return family.kind, family.merge, family.labels, family.bounds


def _add(found: dict[tuple[str, ...], list[float]], family: Family, cells: memoryview[float]) -> None:
    width = family.width
    for number, values in enumerate(family.values):
        start = family.start + number * width
        new: list[float] = list(cells[start : start + width])
        old = found.get(values)
        if old is None:
            found[values] = new
        elif family.kind == "gauge" and family.merge == "max":
            found[values] = [max(old[0], new[0])]
        else:
            found[values] = [one + other for one, other in zip(old, new, strict=True)]


def _lines(family: Family, found: dict[tuple[str, ...], list[float]]) -> Iterable[str]:
    lines: list[str] = []
    used = {values[:-1] for values, cells in found.items() if cells[0]}
    for values, cells in found.items():
        pairs = [f'{label}="{_quoted(value)}"' for label, value in zip(family.labels, values, strict=True)]
        if family.kind == "histogram":
            lines += _classes(family, pairs, cells)
        elif family.kind == "gauge" or not values[:-1] or values[:-1] in used:
            lines.append(f"{family.name}{_braced(pairs)} {_number(cells[0])}")
    return lines


def _classes(family: Family, pairs: list[str], cells: list[float]) -> Iterable[str]:
    *counts, total = cells
    if pairs and not any(counts):
        return
    seen = 0.0
    for bound, count in zip((*map(_number, family.bounds), "+Inf"), counts, strict=True):
        seen += count
        labels = _braced([*pairs, f'le="{bound}"'])
        yield f"{family.name}_bucket{labels} {_number(seen)}"
    yield f"{family.name}_sum{_braced(pairs)} {_number(total)}"
    yield f"{family.name}_count{_braced(pairs)} {_number(seen)}"


def _braced(pairs: list[str]) -> str:
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
