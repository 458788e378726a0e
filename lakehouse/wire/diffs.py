# SPDX-License-Identifier: Apache-2.0
"""The shape of differences, shared by branches and refs."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.paging import PageQuery, Pagination

PathType = Literal["common_prefix", "object"]
DiffType = Literal["added", "removed", "changed", "conflict", "prefix_changed"]


class DiffQuery(PageQuery, frozen=True, kw_only=True, omit_defaults=True):
    """With `delimiter`, changed paths that share a prefix up to it are one item."""

    delimiter: str = ""


class DiffObjectStat(msgspec.Struct, frozen=True, kw_only=True):
    checksum: str
    mtime: int
    content_type: str
    metadata: dict[str, str] | UnsetType = UNSET


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. `size_bytes` is left out for prefixes."""

    type: DiffType
    path: str
    path_type: PathType
    size_bytes: int | UnsetType = UNSET
    right: DiffObjectStat | UnsetType = UNSET


class DiffList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[Diff]
