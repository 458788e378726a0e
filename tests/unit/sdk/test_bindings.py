# SPDX-License-Identifier: Apache-2.0
"""Every operation has its method, under its tag, with its types; and both twins are the same."""

from __future__ import annotations

import inspect
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
import pytest

from lakehouse.core.errors import LakehouseError
from lakehouse.sdk import AsyncClient, Client
from lakehouse.sdk.described import ObjectHead, described
from lakehouse.sdk.generate import synchronous
from lakehouse.wire.commits import CommitRecordCreation
from lakehouse.wire.dumps import RefsDump
from lakehouse.wire.multipart import CopyPartSource, UploadPart
from lakehouse.wire.policies import Statement
from lakehouse.wire.setup import CommPrefsInput
from lakehouse.wire.staging import StagingLocation, StagingMetadata
from lakehouse.wire.statistics import StatsEvent
from lakehouse.wire.table import OPERATIONS

if TYPE_CHECKING:
    from lakehouse.wire.operation import Operation

pytestmark = pytest.mark.anyio

NOWHERE = httpx2.MockTransport(lambda _request: httpx2.Response(599))

SAMPLES: dict[str, Any] = {
    "record": CommitRecordCreation(
        commit_id="c", version=0, committer="", message="", metarange_id="", creation_date=1, parents=[], generation=1
    ),
    "events": [StatsEvent(class_="a", name="b", count=1)],
    "preferences": CommPrefsInput(feature_updates=True, security_updates=False),
    "metadata": {"k": "v"},
    "keys": ["k"],
    "patterns": ["main"],
    "paths": ["p"],
    "items": [],
    "sources": [],
    "default_days": 1,
    "rules": [],
    "verdict": "approve",
    "state": "success",
    "dump": RefsDump(commits_meta_range_id="c", tags_meta_range_id="t", branches_meta_range_id="b"),
    "data": b"x",
    "size_bytes": 1,
    "parent_number": 1,
    "parents": 1,
    "parts": [UploadPart(part_number=1, etag="e")],
    "part_number": 7,
    "copy_source": CopyPartSource(repository="r", ref="main", path="p"),
    "statements": [Statement(effect="allow", resource="*", action=["fs:*"])],
}
FACTS = StagingMetadata(staging=StagingLocation(physical_address="s3://a"), checksum="x", size_bytes=1)


def method_of(client: Any, operation: Operation) -> Any:
    return getattr(getattr(client, operation.tag), operation.name)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_has_a_method(kind: Any, operation: Operation) -> None:
    method = method_of(kind("http://lake.example", transport=NOWHERE), operation)
    assert inspect.iscoroutinefunction(method) == (kind is AsyncClient)
    assert method.__doc__
    declared = inspect.get_annotations(method.__func__)["return"]
    returned = eval(declared, vars(inspect.getmodule(method)))
    expected = operation.result
    if operation.raw_result:
        expected = ObjectHead if operation.method == "HEAD" else bytes
    assert returned == expected


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_methods_send_their_operations(kind: Any, operation: Operation) -> None:
    """With whatever arguments a method needs, it sends the declared method, path, query and body."""
    seen: list[tuple[httpx2.Request, bytes]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append((request, request.content if operation.body is not None and not operation.raw_body else b""))
        return httpx2.Response(599)

    client = kind("http://lake.example", transport=httpx2.MockTransport(answer))
    method = method_of(client, operation)
    given = {}
    for parameter in inspect.signature(method).parameters.values():
        if parameter.default is inspect.Parameter.empty:
            given[parameter.name] = SAMPLES.get(parameter.name, f"{parameter.name}-1")
    if operation.name == "link_physical_address":
        given["metadata"] = FACTS
    with pytest.raises(LakehouseError, match="599"):
        await finished(method(**given) if kind is AsyncClient else partial(method, **given))
    request, content = seen[0]
    path = request.url.path.removeprefix("/api/v1")
    parts, template = path.split("/"), operation.path.split("/")
    assert request.method == operation.method
    assert len(parts) == len(template)
    values = [part for part, name in zip(parts, template, strict=True) if name.startswith("{")]
    assert all(part == name or name.startswith("{") for part, name in zip(parts, template, strict=True))
    assert len(set(values)) == len(values)
    if operation.query is not None:
        msgspec.convert(dict(request.url.params), operation.query, strict=False)
    if content:
        form = msgspec.msgpack if operation.packed else msgspec.json
        form.decode(content, type=operation.body)


async def finished(work: Any) -> Any:
    return work() if callable(work) else await work


LISTS = [
    (tag, name)
    for tag in (
        "repositories",
        "branches",
        "tags",
        "refs",
        "objects",
        "history",
        "users",
        "groups",
        "policies",
        "audit",
        "pulls",
    )
    for name in dir(getattr(Client("http://lake.example", transport=NOWHERE), tag))
    if name.startswith("each_")
]
ITEM = {
    "id": "i", "commit_id": "c", "parents": [], "committer": "", "message": "", "creation_date": 1, "meta_range_id": "",
    "default_branch": "main", "storage_namespace": "s3://a", "path": "p", "path_type": "object", "type": "added",
    "physical_address": "", "checksum": "", "mtime": 1, "number": 1, "time": 1, "old_commit_id": "",
    "new_commit_id": "", "operation": "commit", "actor": "a", "request_id": "",
    "statement": [{"effect": "allow", "resource": "*", "action": ["fs:*"]}],
    "resources": {}, "peer": "", "status_code": 200,
    "status": "open", "title": "t", "author": "a", "source_branch": "s", "destination_branch": "d",
}  # fmt: skip
ITEM["commit"] = dict(ITEM)


def test_all_lists_are_known() -> None:
    assert len(LISTS) == 18


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(("tag", "name"), LISTS, ids=lambda value: value)
async def test_lists_are_followed_to_their_end(kind: Any, tag: str, name: str) -> None:
    asked: list[Any] = []
    item = ITEM | {"creation_date": "2026-01-01T00:00:00Z"} if tag == "pulls" else ITEM

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(dict(request.url.params))
        more = len(asked) < 3
        pagination = {
            "has_more": more,
            "next_offset": f"o{len(asked)}" if more else "",
            "results": 2,
            "max_per_page": 1,
        }
        return httpx2.Response(200, json={"pagination": pagination, "results": [item, item]})

    method = getattr(getattr(kind("http://lake.example", transport=httpx2.MockTransport(answer)), tag), name)
    places = [p.name for p in inspect.signature(method).parameters.values() if p.default is inspect.Parameter.empty]
    items = method(*places)
    collected = [item async for item in items] if kind is AsyncClient else list(items)
    assert len(collected) == 6
    assert [one.get("after", "") for one in asked] == ["", "o1", "o2"]
    assert {one["amount"] for one in asked} == {"1000"}


def test_the_twin_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lakehouse.sdk.generate", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_how_the_twin_is_made() -> None:
    text = (
        "import asyncio\nasync def f(x: Callable[[str], Awaitable[list[int]]]) -> AsyncIterator[int]:\n"
        "    await asyncio.to_thread(file.read, N)\n    async with AsyncClient() as c:\n        await c.aclose()\n"
    )
    assert synchronous(text) == (
        "def f(x: Callable[[str], list[int]]) -> Iterator[int]:\n"
        "    file.read(N)\n    with Client() as c:\n        c.close()\n"
    )


def test_headers_of_objects() -> None:
    headers = {
        "content-length": "3",
        "etag": '"c"',
        "content-type": "t",
        "last-modified": "Thu, 01 Jan 1970 00:00:05 GMT",
    }
    assert described(headers) == ObjectHead(size=3, checksum="c", content_type="t", mtime=5)
    assert described({}) == ObjectHead(size=0, checksum="", content_type="", mtime=0)
