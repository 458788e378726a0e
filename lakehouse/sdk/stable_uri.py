# SPDX-License-Identifier: Apache-2.0
"""URIs that always mean the same bytes, for what is remembered by URI.

`s3://repository/main/x` stays the same text when the data under it changes, so a cache that is keyed by it answers with
what was computed from other data. The URI with the branch's commit in its place changes when the data does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from lakehouse.core.errors import BranchNotFound, InvalidArgument
from lakehouse.core.ids import is_commit_id
from lakehouse.core.marks import PLAIN

if TYPE_CHECKING:
    from lakehouse.sdk._sync.client import Client


def stable_uri(lake: Client, uri: str) -> str:
    """`s3://repository/ref/path` with the commit in the place of the branch, tag or expression; `path` may be a prefix.

    Raises InvalidArgument when what is there is not committed, when the repository is plain (its URIs name no ref: use
    `content_hash`), or when it is no such URI; NotFound.
    """
    repository, ref, rest = _parts(lake, uri)
    if is_commit_id(ref):
        return uri
    try:
        changed = lake.branches.diff_branch(repository, ref, prefix=_path(rest), amount=1).results
    except (BranchNotFound, InvalidArgument):  # a tag or an expression: nothing is staged there
        changed = []
    if changed:
        raise InvalidArgument(f"{uri}: {changed[0].path} is not committed on {ref}: commit it first")
    commit = lake.commits.get_commit(repository, ref).id  # after the look at what is staged, so that nothing is missed
    return f"{uri.partition('://')[0]}://{repository}/{commit}/{rest}"


def content_hash(lake: Client, uri: str) -> str:
    """The checksum of one object, also of a plain repository: for `Literal.hash` of Flyte. Raises NotFound."""
    bucket, _, key = _bucket_and_key(uri)
    if _is_plain(lake, bucket):
        branch = lake.repositories.get_repository(bucket).default_branch
        return lake.objects.stat_object(bucket, branch, _path(key)).checksum
    repository, ref, rest = _parts(lake, uri)
    return lake.objects.stat_object(repository, ref, _path(rest)).checksum


def _parts(lake: Client, uri: str) -> tuple[str, str, str]:
    """Repository, ref and the rest as it is written. Raises InvalidArgument."""
    repository, _, key = _bucket_and_key(uri)
    ref, slash, rest = key.partition("/")
    if not slash:
        raise InvalidArgument(f"{uri}: not of the form s3://repository/ref/path")
    if _is_plain(lake, repository):
        raise InvalidArgument(f"{uri}: keys of a plain repository name no ref, so there is no URI of a commit")
    return repository, unquote(ref), rest


def _bucket_and_key(uri: str) -> tuple[str, str, str]:
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in ("s3", "s3a", "lakefs"):
        raise InvalidArgument(f"{uri}: not of the form s3://repository/ref/path")
    return rest.partition("/")


def _is_plain(lake: Client, repository: str) -> bool:
    return lake.repositories.get_repository_metadata(repository).get(PLAIN) == "true"


def _path(text: str) -> str:
    return unquote(text)
