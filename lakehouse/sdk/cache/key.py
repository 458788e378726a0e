# SPDX-License-Identifier: Apache-2.0
"""What a task's outputs are kept under: the task, its version of the cache, and its inputs.

Flyte 1 and Flyte 2 make different names of it, and so do we, to the letter: what either of them stored is found.
Identifier, interface and inputs are messages of `flyteidl`, or of `flyteidl2`, or the JSON of those.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from lakehouse.core.errors import InvalidArgument
from lakehouse.sdk.cache.message_tree import is_tree, tree_of
from lakehouse.sdk.cache.object_hash import object_hash

_SIGNATURE = 8


class Key(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A task with its inputs.

    `identifier`: the task (`core.Identifier`); its version counts for nothing. `cache_version`: what its author changes
    to begin anew. `cache_ignore_input_vars`: names of inputs that do not count. `typed_interface`:
    `core.TypedInterface`. `inputs`: `core.LiteralMap`, None for none.
    """

    identifier: Any
    cache_version: str = ""
    cache_ignore_input_vars: tuple[str, ...] = ()
    typed_interface: Any = None
    inputs: Any = None

    def __post_init__(self) -> None:
        for name in ("identifier", "typed_interface", "inputs"):
            if not is_tree(getattr(self, name)):
                raise InvalidArgument(f"{name}: give a message of flyteidl, or a mapping as its JSON is")

    def __str__(self) -> str:
        names = ("project", "domain", "name", "version")
        return f"{':'.join(self.part(name) for name in names)}:{self.cache_version}"

    def part(self, name: str) -> str:
        """A field of the identifier, "" when it is absent."""
        return str(tree_of(self.identifier).get(name, ""))


def cache_key(key: Key) -> str:
    """The key in Flyte 2's cache service. It contains `/`, `+` and `=`: never a file's name as it is."""
    task = {name: value for name, value in tree_of(key.identifier).items() if name != "version"}
    head = base64.b64encode(object_hash(task)).decode()
    return f"{head}-{signature(key)}-{inputs_hash(key)}-{key.cache_version}"


def dataset_name(key: Key) -> str:
    """The name of the dataset in Flyte 1's catalog."""
    return f"flyte_task-{key.part('name')}"


def dataset_version(key: Key) -> str:
    """The version of that dataset. Raises InvalidArgument without a `cache_version`."""
    version = key.cache_version.strip()
    if not version:
        raise InvalidArgument("cache_version: is empty: Flyte 1 caches nothing then")
    return f"{version}-{signature(key)}"


def tag(key: Key) -> str:
    """The tag of the artifact in Flyte 1's catalog."""
    return f"flyte_cached-{inputs_hash(key)}"


def signature(key: Key) -> str:
    """What stands for the types of inputs and outputs."""
    interface = tree_of(key.typed_interface)
    return "-".join(_url_text(interface.get(side, {}))[:_SIGNATURE] for side in ("inputs", "outputs"))


def inputs_hash(key: Key) -> str:
    """What stands for the values of the inputs that count: none do when the interface has none."""
    declared = tree_of(key.typed_interface).get("inputs", {}).get("variables")
    literals = tree_of(key.inputs).get("literals", {}) if declared else {}
    counted = {name: _hashed(literal) for name, literal in literals.items() if name not in key.cache_ignore_input_vars}
    return _url_text({"literals": counted} if counted else {})


def _hashed(literal: Any) -> Any:
    """A literal, but where it or a part of it tells its own hash: only that."""
    if literal.get("hash"):
        return {"hash": literal["hash"]}
    if "collection" in literal:
        parts = literal["collection"].get("literals", [])
        return {**literal, "collection": {"literals": [_hashed(one) for one in parts]} if parts else {}}
    if "map" in literal:
        members = literal["map"].get("literals", {})
        inner = {name: _hashed(one) for name, one in members.items()}
        return {**literal, "map": {"literals": inner} if inner else {}}
    return literal


def _url_text(tree: Any) -> str:
    return base64.urlsafe_b64encode(object_hash(tree)).decode().rstrip("=")
