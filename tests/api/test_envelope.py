# SPDX-License-Identifier: Apache-2.0
"""What holds for every REST request: routes, request ids, errors, bodies, sizes, and what is not the API."""

from __future__ import annotations

import json
import uuid

import pytest

from lakehouse.wire.errors import ERROR_HEADER
from lakehouse.wire.operation import Access
from lakehouse.wire.table import OPERATIONS

from .conftest import Hands, drive, refused, started

pytestmark = pytest.mark.anyio


async def test_unknown_routes(api, nobody) -> None:
    for path in ("/nope", "/repositories/a/b/c", "/repositories/", "", "/", "/branches", "/repositories/x/branches/"):
        for client in (api, nobody):
            refused(await client.get(path), 404, "invalid API endpoint")
    refused(await api.get("/repositories//branches"), 400, "repository")
    refused(await api.get("/repositories/a/branches//diff"), 400, "branch")


async def test_wrong_methods(api) -> None:
    answer = await api.patch("/repositories")
    refused(answer, 405, "method")
    assert answer.headers["allow"] == "GET, POST"


async def test_every_answer_has_a_request_id_of_its_own(api, nobody, repo) -> None:
    ids = set()
    for client, path in [
        (api, "/user"),
        (nobody, "/user"),
        (api, "/nope"),
        (api, f"{repo.url}/branches?amount=x"),
        (api, "/healthcheck"),
        (api, f"{repo.url}/refs/main/objects?path=nope"),
    ]:
        answer = await client.get(path, headers={"x-request-id": "from-the-caller"})
        ids.add(str(uuid.UUID(answer.headers["x-request-id"])))
    assert len(ids) == 6


async def test_errors_and_results_look_alike(api) -> None:
    for path in ("/user", "/nope"):
        answer = await api.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.text.endswith("}\n")
        assert answer.headers["content-length"] == str(len(answer.content))
    answer = await api.get("/repositories/no-such-repository")
    assert answer.headers[ERROR_HEADER] == "repository_not_found"
    assert answer.reason_phrase == "Not Found"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "is empty"),
        (b"{", "not JSON"),
        (b"nonsense", "not JSON"),
        (b'{"name": "abc"', "not JSON"),
        (b'{"name": "abc"} x', "not JSON"),
        (b"null", "request body"),
        (b"[]", "request body"),
        (b'"abc"', "request body"),
        (b'{"name": "\xff\xfe"}', "request body"),
        (b'{"name": "\\ud800"}', "request body"),
        (b'{"name": null}', "name"),
        (b'{"name": 1e400}', "request body"),
        (b"[" * 100_000, "request body"),
        (b'{"name": "' + b"a" * 70_000 + b'"}', "name"),
        (b"\xef\xbb\xbf{}", "not JSON"),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_bodies_that_are_refused(api, body: bytes, text: str) -> None:
    refused(await api.post("/repositories", content=body), 400, text)


async def test_members_that_nobody_knows_are_ignored(api, repo) -> None:
    body = {"name": "dev", "source": "main", "unheard_of": {"deep": [1]}}
    assert (await repo.ask("POST", "/branches", json=body, params={"unheard_of": "1"})).status_code == 201


async def test_the_type_of_a_json_body_is_not_asked_for(repo) -> None:
    for number, kind in enumerate(("text/plain", "application/x-www-form-urlencoded", "")):
        body = json.dumps({"name": f"b{number}", "source": "main"}).encode()
        answer = await repo.ask("POST", "/branches", content=body, headers={"content-type": kind})
        assert answer.status_code == 201


async def test_bodies_that_are_cut_off(server, repo) -> None:
    body = json.dumps({"name": "dev", "source": "main"}).encode()
    path = f"{repo.url}/branches"
    for pieces, length, leave in [
        ([body[:10]], len(body), True),
        ([body[:10]], len(body), False),
        ([body[:10]], None, True),
        ([body], None, True),
        ([body], len(body) + 1, False),
        ([], len(body), True),
        ([body], len(body) - 1, False),
    ]:
        status, out = await drive(server.application, "POST", path, pieces=pieces, length=length, leave=leave)
        assert status == 400
        assert "message" in json.loads(out)
    assert [one["id"] for one in (await repo.done("GET", "/branches"))["results"]] == ["main"]
    status, _ = await drive(server.application, "POST", path, pieces=[body[:10], body[10:], b""], length=None)
    assert status == 201


async def test_bodies_that_are_too_large(tmp_path) -> None:
    from lakehouse.config.model import Limits

    made = await started(tmp_path, Hands(), limits=Limits(json_body=10_000, object_size=100_000))
    try:
        body = json.dumps({"name": "abc", "default_branch": "b" * 10_000}).encode()
        for length in (len(body), None):
            pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
            status, out = await drive(made.application, "POST", "/repositories", pieces=pieces, length=length)
            assert status == 400
            assert "larger than 10000 bytes" in json.loads(out)["message"]
        status, _ = await drive(made.application, "POST", "/repositories", pieces=[b'{"name":"abc"}'])
        assert status == 201
        path = "/repositories/abc/branches/main/objects"
        for size, expected in ((100_000, 201), (100_001, 400)):
            for length in (size, None):
                pieces = [b"x" * 50_000, b"x" * (size - 50_000)]
                status, out = await drive(
                    made.application, "POST", path, query=f"path=p{size}", pieces=pieces, length=length
                )
                assert status == expected, out
        status, out = await drive(made.application, "GET", "/repositories/abc/refs/main/objects/ls", pieces=[])
        assert [one["path"] for one in json.loads(out)["results"]] == ["p100000"]
    finally:
        await made.application.stop()


async def test_a_length_that_is_no_number(server) -> None:
    status, out = await drive(
        server.application, "POST", "/repositories", pieces=[b"{}"], headers={"content-length": "many"}
    )
    assert status == 400
    assert "Content-Length" in json.loads(out)["message"]


@pytest.mark.parametrize("query", ["path=%FF", "path=%C3", "%FF=1&path=a"])
async def test_queries_that_are_not_utf8(repo, query: str) -> None:
    refused(await repo.ask("GET", f"/refs/main/objects?{query}"), 400, "not UTF-8")


async def test_every_operation_wants_to_know_who_asks(nobody) -> None:
    """No route is open by mistake: without credentials each answers 400 (what is asked is judged first) or 401."""
    for operation in OPERATIONS:
        if operation.allow is Access.NOBODY_ASKED:
            continue
        path = operation.path
        for name in operation.parameters:
            path = path.replace(f"{{{name}}}", "abc")
        answer = await nobody.request(operation.method, path, params={"path": "a", "dest_path": "a", "ref": "a"})
        assert answer.status_code in (400, 401), operation.name


async def test_what_is_not_the_api(server) -> None:
    async with server.client(base_url="http://localhost:8000") as client:
        health = await client.get("/_health")
        assert health.status_code == 200
        assert health.text.startswith("alive!")
        document = await client.get("/openapi.json")
        assert "/repositories/{repository}" in document.json()["paths"]
        out = await client.get("/logout")
        assert out.status_code == 307
        assert all("Max-Age=0" in cookie for cookie in out.headers.get_list("set-cookie"))
        for path in ("/api/v2/user", "/api/v1", "/api/"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()) == (404, {"message": "invalid API endpoint"})
        assert (await client.get("/no-such-page")).status_code == 404


async def test_words_of_signatures_in_values_are_values(repo) -> None:
    for path in ("X-Amz-Credential=1", "AWSAccessKeyId=1"):
        refused(await repo.ask("GET", f"/refs/main/objects?path={path}"), 404, f"path {path}: not found")


async def test_clients_say_who_they_are_or_not(api) -> None:
    for name in ("lakectl/1.0", "x" * 5000, "\u00e9".encode()):
        assert (await api.get("/user", headers={"x-lakefs-client": name})).status_code == 200


async def test_a_host_that_is_none(api, repo) -> None:
    for host in ("evil.example/path", "a b", "", "user@host"):
        answer = await repo.ask("GET", "/branches/main/staging/backing?path=a&presign=true", headers={"host": host})
        assert answer.status_code in (200, 400)
        if answer.status_code == 200:
            assert answer.json()["presigned_url"].startswith("http://")
            assert "evil" not in answer.text
    assert (await repo.ask("GET", "/branches/main", headers={"host": "a b"})).status_code == 200
