# SPDX-License-Identifier: Apache-2.0
"""A container: a repository, whose keys are paths of its default branch if it is plain, else `branch/path`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import InvalidArgument
from lakehouse.core.marks import PLAIN

if TYPE_CHECKING:
    from lakehouse.sdk._sync.client import Client

AUTO_COMMIT = "lakehouse.auto-commit"


class Container(msgspec.Struct, frozen=True):
    """`branch` is the one that all keys mean, "" where each key begins with its own."""

    name: str
    branch: str

    def split(self, key: str) -> tuple[str, str]:
        """Ref and path of a key."""
        if self.branch:
            return self.branch, key
        ref, _, path = key.partition("/")
        return ref, path

    def place(self, key: str) -> tuple[str, str, str]:
        """Repository, ref and path of an object. Raises InvalidArgument for a key that can be no object's."""
        ref, path = self.split(key)
        if not ref or not path:
            form = "a key" if self.branch else "branch/path"
            raise InvalidArgument(f"{self.name}: {key!r}: objects here are named by {form}")
        return self.name, ref, path

    def key(self, ref: str, path: str) -> str:
        """The key of a path."""
        return path if self.branch else f"{ref}/{path}"


def load(client: Client, name: str) -> Container:
    """The container of this name. Raises RepositoryNotFound."""
    found = client.repositories.get_repository(name)
    plain = client.repositories.get_repository_metadata(name).get(PLAIN) == "true"
    return Container(name, found.default_branch if plain else "")


def create(client: Client, name: str) -> Container:
    """A new one, plain. Raises RepositoryExists, InvalidArgument, with the words of the server."""
    marks = {PLAIN: "true", AUTO_COMMIT: "true"}
    return Container(name, client.repositories.create_repository(name, metadata=marks).default_branch)
