# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder are left out of an upload: a filter, and ignore files in the format of `.gitignore`.

Ignore files count from their folder downwards, those further up (above the folder that is uploaded, too) before those
further down; the last pattern that matches decides. What lies in an ignored folder is not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pathspec import GitIgnoreSpec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

Filter: TypeAlias = "Callable[[str], Awaitable[bool]]"
"""Of a path below the folder, with `/` at the end of folders: whether it is taken."""


class Ignored:
    """The patterns that count in one folder. Immutable; `within` makes those of a folder inside."""

    def __init__(self, specs: tuple[tuple[int, GitIgnoreSpec], ...] = (), *, above: tuple[str, ...] = ()) -> None:
        """`above`: the names of the folders from the first ignore file's on to the folder that is uploaded."""
        self._specs = specs
        self._above = above

    @classmethod
    def around(cls, folder: Path, names: AbstractSet[str]) -> Ignored:
        """What the ignore files in the folders above `folder` say."""
        parents = list(reversed(folder.parents)) if names else []
        specs: list[tuple[int, GitIgnoreSpec]] = []
        for depth, parent in enumerate(parents):
            specs += [(depth, spec) for spec in _specs_in(parent, names)]
        return cls(tuple(specs), above=tuple(parent.name for parent in [*parents[1:], folder]) if names else ())

    def within(self, folder: Path, inside: str, names: Iterable[str]) -> Ignored:
        """With the ignore files `names` of `folder`, which is at `inside` below the folder that is uploaded."""
        depth = len(self._above) + inside.count("/")
        return Ignored((*self._specs, *((depth, _read(folder / name)) for name in sorted(names))), above=self._above)

    def __call__(self, path: str) -> bool:
        """Whether a path below the folder that is uploaded, with `/` at the end of folders, is left out."""
        levels = path.split("/")
        for depth, spec in reversed(self._specs):
            if depth >= len(self._above):
                relative = "/".join(levels[depth - len(self._above) :])
            else:
                relative = "/".join((*self._above[depth:], *levels))
            verdict = spec.check_file(relative).include
            if verdict is not None:
                return verdict
        return False


def _specs_in(folder: Path, names: AbstractSet[str]) -> list[GitIgnoreSpec]:
    return [_read(folder / name) for name in sorted(names) if (folder / name).is_file()]


def _read(path: Path) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines())
