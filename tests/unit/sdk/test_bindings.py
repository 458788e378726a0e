# SPDX-License-Identifier: Apache-2.0
"""Every operation has its method, under its tag, with its types; and both twins are the same."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
import pytest

from lakehouse.sdk import AsyncClient, Client
from lakehouse.sdk.described import ObjectHead, described
from lakehouse.sdk.generate import synchronous
from lakehouse.wire.setup import CommPrefsInput
from lakehouse.wire.staging import StagingLocation, StagingMetadata
from lakehouse.wire.statistics import StatsEvent
from lakehouse.wire.table import OPERATIONS

if TYPE_CHECKING:
    from lakehouse.wire.operation import Operation

SAMPLES: dict[str, Any] = {
    "events": [StatsEvent(class_="a", name="b", count=1)],
    "preferences": CommPrefsInput(feature_updates=True, security_updates=False),
    "metadata": {"k": "v"},
    "keys": ["k"],
    "patterns": ["main"],
    "paths": ["p"],
    "items": [],
    "data": b"x",
    "size_bytes": 1,
    "parent_number": 1,
    "parents": 1,
}
FACTS = StagingMetadata(staging=StagingLocation(physical_address="s3://a"), checksum="x", size_bytes=1)


def method_of(client: Any, operation: Operation) -> Any:
    return getattr(getattr(client, operation.tag), operation.name)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_has_a_method(kind: Any, operation: Operation) -> None:
    method = method_of(kind("http://lake.example"), operation)
    assert inspect.iscoroutinefunction(method) == (kind is AsyncClient)
    assert method.__doc__
    declared = inspect.get_annotations(method.__func__)["return"]
    returned = eval(declared, vars(inspect.getmodule(method)))
    expected = operation.result
    if operation.raw_result:
        expected = ObjectHead if operation.method == "HEAD" else bytes
    assert returned == expected


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_methods_send_their_operations(operation: Operation) -> None:
    """With whatever arguments a method needs, it sends the declared method, path, query and body."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        request.read()
        seen.append(request)
        return httpx2.Response(599)

    client = Client("http://lake.example", transport=httpx2.MockTransport(answer))
    method = method_of(client, operation)
    given = {}
    for parameter in inspect.signature(method).parameters.values():
        if parameter.default is inspect.Parameter.empty:
            given[parameter.name] = SAMPLES.get(parameter.name, f"{parameter.name}-1")
    if operation.name == "link_physical_address":
        given["metadata"] = FACTS
    with pytest.raises(Exception, match="599"):
        method(**given)
    request = seen[0]
    path = request.url.path.removeprefix("/api/v1")
    parts, template = path.split("/"), operation.path.split("/")
    assert request.method == operation.method
    assert len(parts) == len(template)
    values = [part for part, name in zip(parts, template, strict=True) if name.startswith("{")]
    assert all(part == name or name.startswith("{") for part, name in zip(parts, template, strict=True))
    assert len(set(values)) == len(values)
    if operation.query is not None:
        msgspec.convert(dict(request.url.params), operation.query, strict=False)
    if operation.body is not None and not operation.raw_body:
        msgspec.json.decode(request.content, type=operation.body)


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
