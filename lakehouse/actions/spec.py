# SPDX-License-Identifier: Apache-2.0
"""Hook files: YAML that names events, and the hooks that run at them.

Invariant: what `parse_action` returns can be run. A file is many users' input, so its size, its depth and what YAML
lets it repeat are bounded.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

import msgspec
import yaml

from lakehouse.actions.condition import Condition, parse_condition
from lakehouse.core.errors import InvalidAction, InvalidArgument
from lakehouse.versioning.state.events import Event
from lakehouse.versioning.state.glob import parse_glob

LARGEST = 64 << 10
"""Bytes of a hook file."""
MOST_HOOKS = 100
_NAME = re.compile(r"\w[\w\-. ]+")
_ID = re.compile(r"[_a-zA-Z][\-_a-zA-Z0-9]{1,255}")
_EVENTS = {event.value: event for event in Event}


class HookType(StrEnum):
    WEBHOOK = "webhook"
    AIRFLOW = "airflow"
    LUA = "lua"


_TYPES = {kind.value: kind for kind in HookType}


class Hook(msgspec.Struct, frozen=True):
    """One hook. `properties` as they are written, with their placeholders."""

    id: str
    type: HookType
    condition: Condition
    properties: dict[str, Any]


class Trigger(msgspec.Struct, frozen=True):
    """At which branches an event counts; None: at all."""

    branches: tuple[re.Pattern[str], ...] | None = None


class Action(msgspec.Struct, frozen=True):
    """A hook file. Its hooks run one after the other."""

    name: str
    on: dict[Event, Trigger]
    hooks: tuple[Hook, ...]

    def concerns(self, event: Event, branch: str) -> bool:
        """Whether the hooks run at this event, of this branch."""
        trigger = self.on.get(event)
        if trigger is None:
            return False
        return trigger.branches is None or any(pattern.fullmatch(branch) for pattern in trigger.branches)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML as hook files are written: `on` is a word, and nothing refers to anything else."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not supported")
        return super().compose_node(parent, index)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")


def parse_action(text: bytes, *, where: str) -> Action:
    """A hook file. `where` is for messages. Raises InvalidAction."""
    try:
        return _action(_loaded(text))
    except (InvalidAction, InvalidArgument) as error:
        raise InvalidAction(f"invalid action: {where}: {error.message}") from error


def _loaded(text: bytes) -> dict[str, Any]:
    if len(text) > LARGEST:
        raise InvalidAction(f"larger than {LARGEST} bytes")
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise InvalidAction(f"not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise InvalidAction("nested too deeply") from error
    if not isinstance(found, dict):
        raise InvalidAction("a mapping with name, on and hooks is expected")
    return found


def _action(found: dict[str, Any]) -> Action:
    name = found.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidAction(f"name {name!r}: two or more letters, digits, spaces or any of _-. are needed")
    events = found.get("on")
    if not isinstance(events, dict) or not events:
        raise InvalidAction("on: at least one event is needed")
    hooks = found.get("hooks")
    if not isinstance(hooks, list) or not 0 < len(hooks) <= MOST_HOOKS:
        raise InvalidAction(f"hooks: a list of 1 to {MOST_HOOKS} is needed")
    made = tuple(_hook(one, at) for at, one in enumerate(hooks))
    if len({hook.id for hook in made}) < len(made):
        raise InvalidAction("hooks: two have the same id")
    return Action(name, dict(_trigger(event, value) for event, value in events.items()), made)


def _trigger(name: object, value: object) -> tuple[Event, Trigger]:
    event = _EVENTS.get(name) if isinstance(name, str) else None
    if event is None:
        raise InvalidAction(f"on: {name!r} is no event")
    if value is None:
        return event, Trigger()
    if not isinstance(value, dict):
        raise InvalidAction(f"on.{event}: a mapping is expected")
    branches = value.get("branches")
    if branches is None:
        return event, Trigger()
    if event.value.endswith("-tag"):
        raise InvalidAction(f"on.{event}: tags have no branches")
    if not isinstance(branches, list) or not all(isinstance(one, str) for one in branches):
        raise InvalidAction(f"on.{event}.branches: a list of patterns is expected")
    return event, Trigger(tuple(parse_glob(one) for one in branches) or None)


def _hook(found: object, at: int) -> Hook:
    if not isinstance(found, dict):
        raise InvalidAction(f"hooks[{at}]: a mapping is expected")
    name, kind, properties = found.get("id"), found.get("type"), found.get("properties")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise InvalidAction(f"hooks[{at}].id {name!r}: a letter or _, then 1 to 255 letters, digits, - or _ are needed")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise InvalidAction(f"hook {name}: type {kind!r}: one of {', '.join(_TYPES)} is needed")
    if properties is not None and not isinstance(properties, dict):
        raise InvalidAction(f"hook {name}: properties: a mapping is expected")
    condition = found.get("if", "")
    text = str(condition).lower() if isinstance(condition, bool) else condition or ""
    if not isinstance(text, str):
        raise InvalidAction(f"hook {name}: if: an expression such as failure() is expected")
    return Hook(name, _TYPES[kind], parse_condition(text), properties or {})
