# SPDX-License-Identifier: Apache-2.0
"""What a ref shows at one path: staged rows over sealed ones over the tree; the first hit wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import BranchNotFound, ObjectNotFound
from lakehouse.core.ids import MetaRangeId
from lakehouse.core.records import Branch, Repository
from lakehouse.core.refs import Suffix, parse_ref
from lakehouse.format.entry import unpack
from lakehouse.meta import refs, staging
from lakehouse.tree.lookup import lookup
from lakehouse.versioning import resolve
from lakehouse.versioning.protection import require_active

if TYPE_CHECKING:
    from lakehouse.core.records import Entry
    from lakehouse.versioning.lake import Lake


class Shown(msgspec.Struct, frozen=True):
    """A packed entry (None: the path is absent) of a repository; of a branch, with the row it was seen with."""

    repository: Repository
    packed: bytes | None
    branch: Branch | None = None
    staged: bytes | None = None
    """What the current staging area holds: b"" is a tombstone, None nothing."""


async def at_ref(lake: Lake, repository_name: str, ref: str, path: bytes) -> Shown:
    """What `ref` shows at `path`. Raises RepositoryNotFound, InvalidRef, NotFound."""
    expression = parse_ref(ref)
    if expression.shows_staging and len(expression.base) < 64:
        found, staged = await refs.find_with_row(lake.db, repository_name, expression.base, path)
        require_active(found.repository)
        if found.branch is not None:
            return await _on_branch(lake, found.repository, found.branch, path, staged)
        if found.tag is not None and expression.suffix is Suffix.NONE:
            root = found.tag_root or MetaRangeId("")
            return Shown(found.repository, await lookup(lake.tree(found.repository), root, path))
    resolved = await resolve.ref(lake, repository_name, ref)
    if resolved.staging is not None:
        return await on_branch(lake, repository_name, resolved.staging.name, path)
    return Shown(resolved.repository, await lookup(lake.tree(resolved.repository), resolved.root, path))


async def on_branch(lake: Lake, repository_name: str, branch: str, path: bytes) -> Shown:
    """What a branch shows at `path`. Raises RepositoryNotFound, BranchNotFound."""
    found, staged = await refs.find_with_row(lake.db, repository_name, branch, path)
    require_active(found.repository)
    if found.branch is None:
        raise BranchNotFound(f"branch '{branch}' not found: branch not found")
    return await _on_branch(lake, found.repository, found.branch, path, staged)


async def entry_at_ref(lake: Lake, repository_name: str, ref: str, path: bytes) -> tuple[Repository, Entry]:
    """The entry that `ref` shows at `path`. Raises as `at_ref`, and ObjectNotFound."""
    shown = await at_ref(lake, repository_name, ref, path)
    if shown.packed is None:
        raise ObjectNotFound(f"path {path.decode(errors='replace')}: not found")
    return shown.repository, unpack(shown.packed)


async def _on_branch(lake: Lake, repository: Repository, branch: Branch, path: bytes, staged: bytes | None) -> Shown:
    hit = staged
    if hit is None and branch.sealed:
        version, hit = await staging.value(lake.db, branch.id, branch.sealed, path)
        if version != branch.version:
            return await on_branch(lake, repository.name, branch.name, path)
    if hit is None:
        hit = await lookup(lake.tree(repository), branch.tree, path)
    return Shown(repository, hit or None, branch, staged)
