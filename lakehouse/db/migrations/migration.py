# SPDX-License-Identifier: Apache-2.0
"""One step of the schema's history, and the check that a database is not ahead of this program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse._version import __version__
from lakehouse.core.errors import DataTooNew

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Migration(msgspec.Struct, frozen=True):
    """A step: its name ("0001_initial", never used again) and statements with the placeholders of `dialect`."""

    name: str
    ddl: tuple[str, ...]


def require_known(applied: Iterable[str], known: Sequence[Migration]) -> None:
    """Raise DataTooNew when the database has had a step that this program does not know."""
    names = {migration.name for migration in known}
    unknown = sorted(name for name in applied if name not in names)
    if unknown:
        raise DataTooNew(
            f"the metadata database has schema {unknown[-1]}, made by a newer lakehouse; this one ({__version__}) "
            f"knows schemas up to {known[-1].name if known else 'none'}. Start the newer version, or restore a backup "
            "made before the upgrade."
        )
