# SPDX-License-Identifier: Apache-2.0
"""Conditions of writes: If-None-Match and If-Match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import ConditionUnsupported
from lakehouse.versioning.objects.writing import ANYWAY, Condition

if TYPE_CHECKING:
    from collections.abc import Mapping


def write_condition(headers: Mapping[str, str]) -> Condition:
    """What the path has to show. Raises ConditionUnsupported for an If-None-Match that is not `*`."""
    none_match, match = headers.get("if-none-match"), headers.get("if-match")
    if none_match is None and match is None:
        return ANYWAY
    if none_match is not None and none_match.strip().strip('"') != "*":
        raise ConditionUnsupported("If-None-Match is supported as * only")
    tags = None if match is None else frozenset(tag.strip().strip('"') for tag in match.split(","))
    return Condition(absent=none_match is not None, match=tags)
