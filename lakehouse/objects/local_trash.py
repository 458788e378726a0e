# SPDX-License-Identifier: Apache-2.0
"""Removing what lost its row: files go, records of segments are struck out where they stand.

A record that is struck out does not come back when a lost index is made again. Its bytes go with its segment.
"""

from __future__ import annotations

import os
from itertools import groupby
from typing import TYPE_CHECKING

from lakehouse.objects.local_file import path_of, unlink
from lakehouse.objects.segment_record import strike

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def remove(root: Path, names: Sequence[str]) -> None:
    """Remove what `left_of` named; what is gone is no error. Never raises: what stays is found by the next sweep."""
    for name in names:
        if "@" not in name:
            unlink(path_of(root, name))
    records = sorted(name.split("@") for name in names if "@" in name)
    for segment, places in groupby(records, key=lambda place: place[0]):
        _strike(path_of(root, segment), (int(start) for _, start in places))


def _strike(path: str, starts: Iterable[int]) -> None:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # it has gone as a whole
        return
    try:
        for start in starts:
            strike(file, start)
    except OSError:
        return
    finally:
        os.close(file)
