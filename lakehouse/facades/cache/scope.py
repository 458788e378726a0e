# SPDX-License-Identifier: Apache-2.0
"""Under what an entry is kept: organisation, project, domain and key.

Invariant: different scopes have different bytes, whatever characters are in them.
"""

from __future__ import annotations

import msgspec

from lakehouse.core.errors import InvalidArgument
from lakehouse.wire.cache import RESOURCE

MAX_KEY = 512
"""Most characters of a key."""
MAX_NAME = 63
"""Most characters of organisation, project and domain: the limit of names in Flyte."""


class Scope(msgspec.Struct, frozen=True):
    """Where an entry belongs. Any part but the key may be empty."""

    org: str
    project: str
    domain: str
    key: str

    @property
    def encoded(self) -> bytes:
        """Each part behind its length."""
        parts = [part.encode() for part in (self.org, self.project, self.domain, self.key)]
        return b"".join([len(part).to_bytes(4, "big") + part for part in parts])

    @property
    def names(self) -> dict[str, str]:
        """The parts by name, for records."""
        names = {"project": self.project, "domain": self.domain, "key": self.key}
        return {**names, "org": self.org} if self.org else names

    @property
    def resource(self) -> str:
        """What permissions name it by."""
        return RESOURCE.format(org=self.org, project=self.project, domain=self.domain, key=self.key)


def parse_scope(*, org: str, project: str, domain: str, key: str) -> Scope:
    """Judge the parts of a scope. Raises InvalidArgument."""
    if not key.strip():
        raise InvalidArgument("key: is empty: invalid value: validation error")
    require_text("key", key, longest=MAX_KEY)
    for name, value in (("org", org), ("project", project), ("domain", domain)):
        require_text(name, value, longest=MAX_NAME)
        if "/" in value:
            raise InvalidArgument(f"{name}: must not contain '/': invalid value: validation error")
    return Scope(org, project, domain, key)


def require_text(name: str, value: str, *, longest: int) -> None:
    """Raises InvalidArgument for a value that is too long or no Unicode text."""
    if len(value) > longest:
        raise InvalidArgument(f"{name}: longer than {longest} characters: invalid value: validation error")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidArgument(f"{name}: not UTF-8: invalid value: validation error")


class DatasetScope(Scope, frozen=True):
    """Where a dataset of Flyte 1's catalog belongs: a version of a task. `key` is the tag, for its reservations."""

    name: str = ""
    version: str = ""

    @property
    def encoded(self) -> bytes:
        """More parts than any other scope has: never the same bytes."""
        return Scope(self.name, self.version, "", "").encoded + super().encoded

    @property
    def names(self) -> dict[str, str]:
        return {**super().names, "name": self.name, "version": self.version}

    @property
    def resource(self) -> str:
        key = f"{self.name}/{self.version}"
        return RESOURCE.format(org=self.org, project=self.project, domain=self.domain, key=key)


def parse_dataset(*, org: str, project: str, domain: str, name: str, version: str, tag: str = "") -> DatasetScope:
    """Judge the parts of a dataset's identity. Raises InvalidArgument."""
    given = {"project": project, "domain": domain, "name": name, "version": version}
    missing = [f"missing {part}" for part, value in given.items() if not value.strip()]
    if missing:
        raise InvalidArgument(f"{', '.join(missing)}: invalid value: validation error")
    for part, value in (("name", name), ("version", version), ("tag", tag)):
        require_text(part, value, longest=MAX_KEY)
    place = parse_scope(org=org, project=project, domain=domain, key=name)
    return DatasetScope(place.org, place.project, place.domain, tag, name, version)
