# SPDX-License-Identifier: Apache-2.0
"""`{{ ENV.NAME }}` in the properties of hooks: the server's environment, as far as its configuration allows."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from lakehouse.core.errors import HookFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PLACE = re.compile(r"\{\{\s*ENV\.(\w+)\s*\}\}")


def allowed(environment: Mapping[str, str], patterns: Sequence[str]) -> dict[str, str]:
    """The variables whose names match one of the patterns: nothing else of the environment is ever kept."""
    return {
        name: value for name, value in environment.items() if any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def filled(value: Any, environment: Mapping[str, str]) -> Any:
    """A property with its placeholders filled, also within lists and mappings.

    Raises HookFailed for a variable that is not there or may not be used: both look the same.
    """
    if isinstance(value, str):
        return _PLACE.sub(lambda match: _value(match.group(1), environment), value)
    if isinstance(value, list):
        return [filled(one, environment) for one in value]
    if isinstance(value, dict):
        return {key: filled(one, environment) for key, one in value.items()}
    return value


def _value(name: str, environment: Mapping[str, str]) -> str:
    if name not in environment:
        raise HookFailed(f"environment variable {name}: not set, or not allowed by the setting actions.environment")
    return environment[name]
