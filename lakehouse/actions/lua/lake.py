# SPDX-License-Identifier: Apache-2.0
"""The `lakefs` library of scripts: which request of the API each of its functions is.

Nothing else can be asked for, whatever a script's process sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from lakehouse.core.errors import HookFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Given = Sequence[Any]


class Request(msgspec.Struct, frozen=True):
    """A request to the API. `raw`: the answer's bytes are what is wanted, not JSON."""

    method: str
    path: str
    query: dict[str, str] = {}
    body: bytes = b""
    raw: bool = False


def lake_request(name: str, given: Given) -> Request:
    """The request of a call. Raises HookFailed for calls that are not there or lack something."""
    make = _CALLS.get(name)
    if make is None:
        raise HookFailed(f"lakefs.{name}: there is no such function")
    try:
        return make(given)
    except IndexError as error:
        raise HookFailed(f"lakefs.{name}: too few arguments") from error


def _create_tag(given: Given) -> Request:
    body = msgspec.json.encode({"ref": _text(given, 1), "id": _text(given, 2)})
    return Request("POST", f"{_repository(given)}/tags", body=body)


def _diff_refs(given: Given) -> Request:
    path = f"{_repository(given)}/refs/{_part(given, 1)}/diff/{_part(given, 2)}"
    return Request("GET", path, _page(given, 3, "after", "prefix", "delimiter", "amount"))


def _diff_branch(given: Given) -> Request:
    path = f"{_repository(given)}/branches/{_part(given, 1)}/diff"
    return Request("GET", path, _page(given, 2, "after", "amount", "prefix", "delimiter"))


def _list_objects(given: Given) -> Request:
    path = f"{_repository(given)}/refs/{_part(given, 1)}/objects/ls"
    return Request("GET", path, _page(given, 2, "after", "prefix", "delimiter", "amount"))


def _get_object(given: Given) -> Request:
    return Request("GET", f"{_repository(given)}/refs/{_part(given, 1)}/objects", {"path": _text(given, 2)}, raw=True)


def _stat_object(given: Given) -> Request:
    return Request("GET", f"{_repository(given)}/refs/{_part(given, 1)}/objects/stat", {"path": _text(given, 2)})


def _update_object_user_metadata(given: Given) -> Request:
    path = f"{_repository(given)}/branches/{_part(given, 1)}/objects/stat/user_metadata"
    wanted = given[3]
    if not isinstance(wanted, dict):
        raise HookFailed("lakefs.update_object_user_metadata: a table of metadata is expected")
    body = msgspec.json.encode({"set": {key: str(value) for key, value in wanted.items()}}, order="deterministic")
    return Request("PUT", path, {"path": _text(given, 2)}, body=body)


_CALLS: dict[str, Callable[[Given], Request]] = {
    "create_tag": _create_tag,
    "diff_refs": _diff_refs,
    "diff_branch": _diff_branch,
    "list_objects": _list_objects,
    "get_object": _get_object,
    "stat_object": _stat_object,
    "update_object_user_metadata": _update_object_user_metadata,
}


def _repository(given: Given) -> str:
    return f"/repositories/{_part(given, 0)}"


def _part(given: Given, at: int) -> str:
    """A part of a path. An empty one, or one that path resolution eats, would name another operation."""
    text = _text(given, at)
    if text in ("", ".", ".."):
        raise HookFailed(f"argument {at + 1}: {text!r} is no name")
    return quote(text, safe="")


def _text(given: Given, at: int) -> str:
    value = given[at]
    if not isinstance(value, str):
        raise HookFailed(f"argument {at + 1}: a text is expected")
    return value


def _page(given: Given, start: int, *names: str) -> dict[str, str]:
    """The optional arguments from `start` on, those that were given."""
    found = {}
    for name, value in zip(names, given[start:], strict=False):
        if value is not None and value != "":
            found[name] = str(int(value)) if name == "amount" and isinstance(value, int | float) else str(value)
    return found
