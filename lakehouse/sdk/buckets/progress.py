# SPDX-License-Identifier: Apache-2.0
"""What is told of transfers and deletions while they go on. The methods are called in the event loop and must not wait.

Files: `start`, `step` after each piece, `complete`. Folders, in addition: `enter`, `leave` when all in them is done,
and `fail` for what is neither file nor folder. Deletions: `delete`.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yarl import URL


@dataclass(frozen=True)
class StorageProgressStart:
    """A file of `size` bytes begins."""

    src: URL
    dst: URL
    size: int


@dataclass(frozen=True)
class StorageProgressStep:
    """`current` of `size` bytes are there."""

    src: URL
    dst: URL
    current: int
    size: int


@dataclass(frozen=True)
class StorageProgressComplete:
    """A file of `size` bytes is there."""

    src: URL
    dst: URL
    size: int


@dataclass(frozen=True)
class StorageProgressEnterDir:
    """A folder begins."""

    src: URL
    dst: URL


@dataclass(frozen=True)
class StorageProgressLeaveDir:
    """All of a folder is done."""

    src: URL
    dst: URL


@dataclass(frozen=True)
class StorageProgressFail:
    """Something was left out; `message` says why."""

    src: URL
    dst: URL
    message: str


@dataclass(frozen=True)
class StorageProgressDelete:
    """A blob, or a folder, is gone."""

    uri: URL
    is_dir: bool


class AbstractFileProgress(abc.ABC):
    """Is told of files."""

    @abc.abstractmethod
    def start(self, data: StorageProgressStart) -> None:
        """A file begins."""

    @abc.abstractmethod
    def complete(self, data: StorageProgressComplete) -> None:
        """A file is done."""

    @abc.abstractmethod
    def step(self, data: StorageProgressStep) -> None:
        """A piece of a file is done."""


class AbstractRecursiveFileProgress(AbstractFileProgress):
    """Is told of folders and the files in them."""

    @abc.abstractmethod
    def enter(self, data: StorageProgressEnterDir) -> None:
        """A folder begins."""

    @abc.abstractmethod
    def leave(self, data: StorageProgressLeaveDir) -> None:
        """A folder is done."""

    @abc.abstractmethod
    def fail(self, data: StorageProgressFail) -> None:
        """Something was left out."""


class AbstractDeleteProgress(abc.ABC):
    """Is told of deletions."""

    @abc.abstractmethod
    def delete(self, data: StorageProgressDelete) -> None:
        """Something is gone."""


class Silent(AbstractRecursiveFileProgress, AbstractDeleteProgress):
    """Says nothing."""

    def start(self, data: StorageProgressStart) -> None:
        pass

    def complete(self, data: StorageProgressComplete) -> None:
        pass

    def step(self, data: StorageProgressStep) -> None:
        pass

    def enter(self, data: StorageProgressEnterDir) -> None:
        pass

    def leave(self, data: StorageProgressLeaveDir) -> None:
        pass

    def fail(self, data: StorageProgressFail) -> None:
        pass

    def delete(self, data: StorageProgressDelete) -> None:
        pass
