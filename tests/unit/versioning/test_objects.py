# SPDX-License-Identifier: Apache-2.0
"""Objects: upload, read, copy, delete, metadata."""

from __future__ import annotations

import pytest

from lakehouse.core.errors import (
    BranchNotFound,
    DataMissing,
    IncompleteBody,
    InvalidArgument,
    InvalidPath,
    MissingValue,
    ObjectNotFound,
    PreconditionFailed,
    ProtectedBranch,
    RepositoryNotFound,
)
from lakehouse.core.paths import parse_path
from lakehouse.versioning import protection, resolve
from lakehouse.versioning.objects import addresses, lookup, objects
from lakehouse.versioning.refs import tags
from tests.lakes import changes, commit_all, error_of, link, put, seal, shown

pytestmark = pytest.mark.anyio
PATH = parse_path("a/b")


async def upload(lake, repo, body=b"bytes", path=PATH, branch="main", **options):
    return await objects.upload_object(lake, repo, branch, objects.Upload(path, **options), body)


async def read(lake, repo, ref, path):
    found, entry = await lookup.entry_at_ref(lake, repo, ref, path)
    return await (await objects.open_object(lake, found, entry)).read()


async def test_upload_and_read(lake, repo):
    made = await upload(lake, repo, content_type="text/plain", metadata={"k": "v"})
    assert (made.entry.size, made.entry.content_type, made.entry.metadata) == (5, "text/plain", {"k": "v"})
    assert made.uri.startswith("mem://example-bucket/lakes/1/data/")
    assert await read(lake, repo, "main", PATH) == b"bytes"
    await commit_all(lake, repo, "main")
    await tags.create_tag(lake, repo, "v1", ref="main")
    await objects.delete_object(lake, repo, "main", PATH)
    for ref in ("main@", "v1", "main~0"):
        assert await read(lake, repo, ref, PATH) == b"bytes"
    assert await error_of(objects.stat_object(lake, repo, "main", PATH)) is ObjectNotFound


async def test_uploads_that_are_refused_stage_nothing(lake, repo):
    assert await error_of(upload(lake, repo, branch="nope")) is BranchNotFound
    assert await error_of(upload(lake, "nope")) is RepositoryNotFound
    assert await error_of(upload(lake, repo, size=7)) is IncompleteBody
    assert await error_of(upload(lake, repo, metadata={"k": "v" * 9000})) is InvalidArgument
    assert await shown(lake, repo, "main") == {}
    await upload(lake, repo, if_absent=True)
    assert await error_of(upload(lake, repo, if_absent=True)) is PreconditionFailed


async def test_bytes_that_are_gone(lake, repo):
    made = await upload(lake, repo)
    found = await resolve.repository(lake, repo)
    store, place = addresses.locate(lake, found, made.entry)
    await store.objects.delete([place])
    assert await error_of(read(lake, repo, "main", PATH)) is DataMissing


async def test_copy(lake, repo, clock):
    made = await upload(lake, repo, metadata={"k": "v"}, content_type="text/plain")
    await commit_all(lake, repo, "main")
    await upload(lake, repo, b"newer")
    clock.now += 5
    target = parse_path("c")

    async def copy(source=PATH, ref=None):
        return await objects.copy_object(lake, repo, "main", target, source_ref=ref, source_path=source)

    old = await copy(ref="main@")
    assert await read(lake, repo, "main", target) == b"bytes"
    assert old.uri != made.uri
    assert (old.entry.metadata, old.entry.content_type) == ({"k": "v"}, "text/plain")
    assert old.entry.mtime == made.entry.mtime + 5
    await copy()
    assert await read(lake, repo, "main", target) == b"newer"
    assert await error_of(copy(parse_path("never"))) is ObjectNotFound


async def test_delete(lake, repo):
    await put(lake, repo, "main", a="1", b="1")
    await commit_all(lake, repo, "main")
    await put(lake, repo, "main", a="2", c="1")
    await objects.delete_object(lake, repo, "main", parse_path("c"))
    await objects.delete_object(lake, repo, "main", parse_path("c"))
    await objects.delete_object(lake, repo, "main", parse_path("b"))
    assert await changes(lake, repo, "main") == {"a": "changed", "b": "removed"}
    for path in "ab":
        await objects.delete_object(lake, repo, "main", parse_path(path), no_tombstone=True)
    assert await changes(lake, repo, "main") == {}
    assert await shown(lake, repo, "main") == {"a": "1", "b": "1"}
    assert await error_of(objects.delete_object(lake, repo, "nope", PATH)) is BranchNotFound


async def test_delete_many(lake, repo):
    await put(lake, repo, "main", a="1", b="1")
    assert await objects.delete_objects(lake, repo, "main", ["a", "", "never", "a"]) == []
    assert await shown(lake, repo, "main") == {"b": "1"}
    assert await objects.delete_objects(lake, repo, "nope", ["a"]) == []
    [refused] = await objects.delete_objects(lake, repo, "main", ["x" * 1025, "b"], no_tombstone=True)
    assert isinstance(refused.error, InvalidPath)
    assert await shown(lake, repo, "main") == {}
    assert await error_of(objects.delete_objects(lake, repo, "main", ["a"] * 1001)) is MissingValue
    await protection.set_rules(lake, await resolve.repository(lake, repo), ["main"], if_etag=None)
    refused = await objects.delete_objects(lake, repo, "main", ["a", "b"])
    assert [(one.path, type(one.error)) for one in refused] == [("a", ProtectedBranch), ("b", ProtectedBranch)]


@pytest.mark.parametrize("where", ["staged", "sealed", "committed"])
async def test_user_metadata(lake, repo, where):
    await link(lake, repo, "main", "a", "1", metadata={"old": "1"})
    if where == "sealed":
        await seal(lake, repo, "main")
    elif where == "committed":
        await commit_all(lake, repo, "main")
    await objects.update_object_user_metadata(lake, repo, "main", parse_path("a"), {"new": "2"})
    assert (await objects.stat_object(lake, repo, "main", parse_path("a"))).entry.metadata == {"new": "2"}
    assert await changes(lake, repo, "main") == {"a": "changed" if where == "committed" else "added"}
    await objects.delete_object(lake, repo, "main", parse_path("a"))
    work = objects.update_object_user_metadata(lake, repo, "main", parse_path("a"), {})
    assert await error_of(work) is ObjectNotFound
