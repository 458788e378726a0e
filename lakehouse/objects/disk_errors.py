# SPDX-License-Identifier: Apache-2.0
"""What the disk says, in our own errors."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lakehouse.core.errors import StorageFull, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def unreadable(error: OSError) -> bool:
    """Whether the disk cannot give these bytes, while it may give others."""
    return error.errno == errno.EIO


def disk_error(error: OSError) -> StorageFull | StorageUnavailable:
    """StorageFull when there is no room (disk, quota or file size limit), StorageUnavailable for anything else."""
    if error.errno in _FULL:
        return StorageFull()
    return StorageUnavailable(f"the disk of the object store fails: {error.strerror or error}; try again")


@contextmanager
def translated(on_error: Callable[[], None] | None = None) -> Iterator[None]:
    """Run a block of system calls; `on_error` cleans up before the translated error is raised."""
    try:
        yield
    except OSError as error:
        if on_error is not None:
            on_error()
        raise disk_error(error) from error
