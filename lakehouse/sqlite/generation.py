# SPDX-License-Identifier: Apache-2.0
"""A number that all processes of one database share, and that changes with every write that readers may remember.

Odd while such a write is going on, even else. It lies in a small file beside the database that every process has
mapped, so that looking at it costs a tenth of a microsecond. It is moved under the turnstile only, hence by one process
at a time.

Invariant: between two looks that find the same even number, no such write was acknowledged. A process that dies within
a write leaves it odd, and what was not acknowledged is not believed by anyone; the next writer puts it right.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

from lakehouse.core.errors import StartupError

if TYPE_CHECKING:
    from pathlib import Path

_SIZE = 8


class Generation:
    """The number of the database at `path`. `begin`, `end` and `recover` belong to the writer, under the turnstile."""

    def __init__(self, path: Path) -> None:
        """Raises StartupError."""
        name = path.with_name(f"{path.name}.generation")
        try:
            file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(file).st_size < _SIZE:
                    os.ftruncate(file, _SIZE)
                self._map = mmap.mmap(file, _SIZE)
            finally:
                os.close(file)
        except OSError as error:
            raise StartupError(
                f"{name}: cannot be opened ({error.strerror}); check that the folder exists and is writable"
            ) from error
        self._number = memoryview(self._map).cast("Q")

    def now(self) -> int:
        """The number; what was read while it was odd must not be remembered."""
        return self._number[0]

    def begin(self) -> None:
        """A write begins; may be called again within it."""
        self._number[0] |= 1

    def end(self) -> None:
        """The write has ended, well or not, and nobody has heard of it yet."""
        if self._number[0] & 1:
            self._number[0] = (self._number[0] + 1) & 0xFFFF_FFFF_FFFF_FFFE

    recover = end

    def close(self) -> None:
        """Let go of the file."""
        self._number.release()
        self._map.close()
