# SPDX-License-Identifier: Apache-2.0
"""What a repository's metadata says about how it is served: a few reserved keys, each `true` or `false`.

They are ordinary metadata, so whatever sets metadata sets them, and they travel with it. Without a mark, the answer is
no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lakehouse.core.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.core.records import Repository

PLAIN: Final = "lakehouse.plain"
"""On the S3 side its keys carry no branch and mean the default branch."""
PUBLIC_READ: Final = "lakehouse.public-read"
"""Below `/s3`, everybody may read its objects by their keys; nobody may list or write without a signature."""
_VALUES = ("true", "false")


def is_plain(repository: Repository) -> bool:
    return repository.metadata.get(PLAIN) == "true"


def is_public(repository: Repository) -> bool:
    return repository.metadata.get(PUBLIC_READ) == "true"


def publishes(metadata: Mapping[str, str]) -> bool:
    """Whether setting this metadata lets everybody read."""
    return metadata.get(PUBLIC_READ) == "true"


def check_marks(metadata: Mapping[str, str]) -> None:
    """Raises InvalidArgument for a mark that is neither `true` nor `false`: it would silently mean no."""
    for name in (PLAIN, PUBLIC_READ):
        if (value := metadata.get(name, "false")) not in _VALUES:
            raise InvalidArgument(f"metadata {name}: {value!r}: invalid value: validation error (write true or false)")
