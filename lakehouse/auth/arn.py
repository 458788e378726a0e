# SPDX-License-Identifier: Apache-2.0
"""Names of resources, and patterns over them.

A policy writes `arn:lakehouse-partition:service:::resource`, on the wire `arn:lakefs:fs:::repository/r/object/*`; an
operation asks for the last part alone, and its action says the service. `*` stands for any characters, `?` for one,
`${user}` for the name of the user who asks. A pattern is matched in time linear in the text for each `*`, whatever it
says, and a name that holds `*` is never a pattern.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from lakehouse.core.errors import InvalidPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

EVERYTHING = "*"
SERVICES = frozenset({"fs", "auth", EVERYTHING})
_USER = "${user}"
_WILDCARD = re.compile(r"[*?]")
_PARTS = 6


class Arn(msgspec.Struct, frozen=True):
    """A pattern over the resources of a service: `fs`, `auth` or `*`."""

    service: str
    resource: str


def parse_arn(text: str) -> Arn:
    """One ARN, or `*`. Raises InvalidPolicy."""
    if text == EVERYTHING:
        return Arn(EVERYTHING, EVERYTHING)
    parts = text.split(":", _PARTS - 1)
    if len(parts) != _PARTS or parts[0] != "arn" or parts[1] not in ("lakefs", EVERYTHING):
        raise InvalidPolicy(
            f"policy: resource {text!r}: invalid value: validation error (write * or arn:lakefs:fs:::repository/name)"
        )
    service, region, account, resource = parts[2:]
    if service not in SERVICES or region not in ("", EVERYTHING) or account not in ("", EVERYTHING) or not resource:
        raise InvalidPolicy(
            f"policy: resource {text!r}: invalid value: validation error (the service is fs or auth, region and "
            "account are empty, the resource is not)"
        )
    return Arn(service, resource)


def parse_resources(text: str) -> tuple[Arn, ...]:
    """The ARNs of a statement's resource: one, or a JSON list of them. Raises InvalidPolicy."""
    if not text.startswith("["):
        return (parse_arn(text),)
    try:
        listed = msgspec.json.decode(text, type=list[str])
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidPolicy(
            f"policy: resource: not a JSON list of ARNs: invalid value: validation error ({error})"
        ) from error
    if not listed:
        raise InvalidPolicy("policy: resource: an empty list: invalid value: validation error")
    return tuple(parse_arn(one) for one in listed)


def is_everything(pattern: str) -> bool:
    """Whether every resource matches, the one that is asked for as `*` included."""
    return pattern.strip("*") == "" and pattern != ""


_ByHead: TypeAlias = "dict[str, list[str] | Callable[[str], object]]"


class Patterns:
    """Whether a resource matches one of many patterns.

    Most patterns begin with the name of a repository or user: they are kept by that beginning, and compiled when a
    resource asks for it, so that many of them cost no more than the few that can match.
    """

    __slots__ = ("_exact", "_heads", "_open", "_rest", "_starts", "_user", "empty", "everything")

    def __init__(self, patterns: Iterable[str], *, user: str) -> None:
        self._user = user
        self._exact: set[str] = set()
        self._heads: _ByHead = {}
        self._open: _ByHead = {}
        self._starts: list[tuple[str, bool]] = []
        rest = []
        self.everything = False
        """Whether every resource matches, the one that is asked for as `*` included."""
        for pattern in dict.fromkeys(patterns):
            start, whole = _plain_start(pattern, user)
            head = _head(start)
            self._starts.append((start, whole))
            if is_everything(pattern):
                self.everything = True
            elif whole:
                self._exact.add(start)
            elif head:
                _keep(self._heads, head, pattern)
            else:
                rest.append(pattern)
            if not whole and pattern.endswith("*"):
                _keep(self._open, head, pattern)
        self._rest = matcher(rest, user=user) if rest else None
        self.empty = not (self.everything or self._exact or self._heads or rest)
        """Whether nothing matches."""

    def __call__(self, resource: str) -> bool:
        if self.everything:
            return True
        if resource == EVERYTHING:
            return False
        if resource in self._exact:
            return True
        match = self._matcher(self._heads, _head(resource))
        return bool((match is not None and match(resource)) or (self._rest is not None and self._rest(resource)))

    def covers(self, prefix: str) -> bool:
        """Whether one of the patterns by itself matches whatever begins with `prefix`: it ends in `*` and matches
        `prefix` as well.
        """
        if self.everything:
            return True
        found = (self._matcher(self._open, head) for head in {_head(prefix), ""})
        return any(match is not None and match(prefix) for match in found)

    def touches(self, prefix: str) -> bool:
        """Whether one of the patterns may match something that begins with `prefix`."""
        return any(
            start.startswith(prefix) or (not whole and prefix.startswith(start)) for start, whole in self._starts
        )

    def _matcher(self, listed: _ByHead, head: str) -> Callable[[str], object] | None:
        match = listed.get(head)
        if isinstance(match, list):
            match = listed[head] = matcher(match, user=self._user)
        return match


def _keep(listed: _ByHead, head: str, pattern: str) -> None:
    kept = listed.setdefault(head, [])
    if isinstance(kept, list):
        kept.append(pattern)


def _plain_start(pattern: str, user: str) -> tuple[str, bool]:
    """What every match begins with, and whether that is all of it."""
    start = ""
    for number, piece in enumerate(pattern.split(_USER)):
        found = _WILDCARD.search(piece)
        start += (user if number else "") + piece[: found.start() if found else None]
        if found:
            return start, False
    return start, True


def _head(text: str) -> str:
    """A text up to its second slash, "" when it has none: `repository/name/`."""
    second = text.find("/", text.find("/") + 1)
    return text[: second + 1] if second > 0 and "/" in text[:second] else ""


def matcher(patterns: Iterable[str], *, user: str) -> Callable[[str], object]:
    """A function that tells (by truth) whether one of the patterns matches a whole text."""
    return re.compile("|".join(_regex(pattern, user) for pattern in patterns) or r"(?!)", re.DOTALL).fullmatch


def _regex(pattern: str, user: str) -> str:
    """The pattern as a regular expression that never goes back over what a `*` has taken."""
    pieces = [_literal(piece, user) for piece in re.split(r"\*+", pattern)]
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    return first + "".join(f"(?>.*?{piece})" for piece in middle) + ".*" + last


def _literal(piece: str, user: str) -> str:
    return re.escape(user).join(re.escape(part).replace(r"\?", ".") for part in piece.split(_USER))
