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
