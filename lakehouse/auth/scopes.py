# SPDX-License-Identifier: Apache-2.0
"""What narrows a key to some repositories: statements that go on top of all that its user may do, never beyond it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from lakehouse.auth.rules import MAX_DOCUMENT, check_statements
from lakehouse.core.errors import InvalidArgument, InvalidPolicy
from lakehouse.core.ids import parse_repository_name
from lakehouse.core.records import Effect, PolicyStatement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

READ: Final = (
    "fs:ListBranches",
    "fs:ListObjects",
    "fs:ListRepositories",
    "fs:ReadBranch",
    "fs:ReadObject",
    "fs:ReadRepository",
)
"""What S3 clients that read need."""
WRITE: Final = ("fs:DeleteObject", "fs:WriteObject")
"""What those need in addition that write."""


def on_buckets(repositories: Iterable[str], *, read_only: bool) -> tuple[PolicyStatement, ...]:
    """Objects of these repositories, and nothing else. Raises InvalidName; InvalidArgument for none at all."""
    names = sorted({parse_repository_name(name) for name in repositories})
    if not names:
        raise InvalidArgument("a key for no bucket at all: name at least one")
    where = [f"arn:lakefs:fs:::repository/{name}{rest}" for name in names for rest in ("", "/*")]
    actions = READ if read_only else READ + WRITE
    return (PolicyStatement(Effect.ALLOW, actions, msgspec.json.encode(where).decode()),)


def as_text(statements: Sequence[PolicyStatement], *, most: int = MAX_DOCUMENT) -> str:
    """Statements as a key carries them, "" for none. Raises InvalidPolicy."""
    if not statements:
        return ""
    check_statements(statements)
    text = msgspec.json.encode(statements).decode()
    if len(text.encode()) > most:
        raise InvalidPolicy(f"policy: larger than {most} bytes: invalid value: validation error")
    return text
