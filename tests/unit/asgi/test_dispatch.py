# SPDX-License-Identifier: Apache-2.0
"""What a request goes through, in which order, and what each step answers."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest

from lakehouse.api.errors import error_response
from lakehouse.asgi.dispatch import ApiApp
from lakehouse.asgi.limits import Limits
from lakehouse.asgi.responses import Response
from lakehouse.core.errors import BranchNotFound, InsufficientPermissions, RangeNotSatisfiable, Unauthenticated
from lakehouse.core.ids import UserId
from lakehouse.core.records import User
from lakehouse.wire.branches import CREATE_BRANCH, GET_BRANCH, Ref
from lakehouse.wire.health import HEALTH_CHECK
from lakehouse.wire.objects import GET_OBJECT, HEAD_OBJECT, LIST_OBJECTS, UPLOAD_OBJECT
from lakehouse.wire.refs import LOG_COMMITS, MERGE_INTO_BRANCH
from lakehouse.wire.setup import SETUP_COMM_PREFS

pytestmark = pytest.mark.anyio

OPERATIONS = (
    HEALTH_CHECK, GET_BRANCH, CREATE_BRANCH, LIST_OBJECTS, LOG_COMMITS, MERGE_INTO_BRANCH, GET_OBJECT, HEAD_OBJECT,
    UPLOAD_OBJECT, SETUP_COMM_PREFS,
)  # fmt: skip
USER = User(id=UserId(1), name="ada", created=0)
BRANCH = "/api/v1/repositories/lake/branches/main"
BRANCHES = "/api/v1/repositories/lake/branches"
OBJECTS = "/api/v1/repositories/lake/refs/main/objects"
MERGE = "/api/v1/repositories/lake/refs/dev/merge/main"


def make(answers: dict[str, Any] | None = None, **options: Any) -> tuple[ApiApp, list[Any]]:
    """An application whose handlers return (or raise, or call) what `answers` says; and the calls that they saw."""
    seen: list[Any] = []

    async def handler(_context: object, call: Any) -> Any:
        seen.append(call)
        answer = (answers or {}).get(call.operation.name)
        if isinstance(answer, Exception):
            raise answer
        return await answer(call) if callable(answer) else answer

    async def authenticate(call: Any) -> User | None:
        given = call.header(b"authorization")
        if given == "bad":
            raise Unauthenticated
        return USER if given else None

    options = {"authenticate": authenticate, "authorize": None, "errors": error_response, **options}
    return ApiApp("context", OPERATIONS, {one.name: handler for one in OPERATIONS}, **options), seen


KNOWN = {"Authorization": "yes"}


async def test_a_struct_is_json_with_a_newline_and_a_request_id(ask) -> None:
    app, seen = make({"get_branch": Ref("main", "c1")})
    answer = await ask(app, "GET", BRANCH, headers=KNOWN)
    assert answer.status == 200
    assert answer.body == b'{"id":"main","commit_id":"c1"}\n'
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.headers["x-request-id"])
    assert seen[0].path == {"repository": "lake", "branch": "main"}
    assert seen[0].known_user == USER
    assert seen[0].request_id == answer.headers["x-request-id"]


async def test_request_ids_differ(ask) -> None:
    app, _ = make()
    ids = {(await ask(app, "GET", "/api/v1/healthcheck")).headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


async def test_nothing_is_an_empty_body(ask) -> None:
    app, seen = make()
    answer = await ask(app, "GET", "/api/v1/healthcheck")
    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer.headers
    assert seen[0].user is None
    prefs = b'{"featureUpdates":true,"securityUpdates":false}'
    answer = await ask(app, "POST", "/api/v1/setup_comm_prefs", body=prefs)
    assert (answer.status, answer.headers["content-length"]) == (200, "0")


async def test_a_new_branch_is_plain_text(ask) -> None:
    app, _ = make({"create_branch": "c1"})
    answer = await ask(app, "POST", BRANCHES, body=b'{"name":"b","source":"main"}', headers=KNOWN)
    assert (answer.status, answer.body) == (201, b"c1")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_order_of_checks(ask) -> None:
    app, seen = make()
    assert (await ask(app, "GET", "/api/v1/nothing")).json() == {"message": "invalid API endpoint"}
    assert (await ask(app, "GET", OBJECTS + "/ls", query="amount=1001")).status == 400
    for headers in ({}, {"Authorization": "bad"}):
        answer = await ask(app, "GET", OBJECTS + "/ls", headers=headers)
        assert answer.status == 401
        assert answer.json() == {"message": "error authenticating request"}
        assert answer.headers["x-lakehouse-error"] == "unauthenticated"
    assert not seen


async def test_authorization_asks_for_what_the_operation_declares(ask) -> None:
    asked: list[tuple[str, str]] = []

    def authorize(user: User, action: str, resource: str) -> None:
        assert user == USER
        asked.append((action, resource))
        if resource.endswith("secret"):
            raise InsufficientPermissions(f"insufficient permissions: not allowed to {action}")

    app, seen = make({"get_object": Response(200)}, authorize=authorize)
    await ask(app, "GET", OBJECTS, query="path=a%2Fb%25s", headers=KNOWN)
    await ask(app, "POST", BRANCHES, body=b'{"name":"b","source":"main"}', headers=KNOWN)
    assert asked == [
        ("fs:ReadObject", "repository/lake/object/a/b%s"),
        ("fs:CreateBranch", "repository/lake/branch/b"),
    ]
    answer = await ask(app, "GET", OBJECTS, query="path=secret", headers=KNOWN)
    assert (answer.status, len(seen)) == (401, 2)
    assert answer.json()["message"] == "insufficient permissions: not allowed to fs:ReadObject"


async def test_wrong_method(ask) -> None:
    app, _ = make()
    answer = await ask(app, "PATCH", OBJECTS)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert "message" in answer.json()


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("amount=1001", "amount"),
        ("amount=-2", "amount"),
        ("amount=many", "amount"),
        ("presign=maybe", "presign"),
        (b"prefix=%FF", "UTF-8"),
        (b"prefix=\xff", "UTF-8"),
    ],
)
async def test_queries_that_are_refused_say_where(ask, query, text: str) -> None:
    app, _ = make()
    answer = await ask(app, "GET", OBJECTS + "/ls", query=query, headers=KNOWN)
    assert answer.status == 400
    assert text in answer.json()["message"]


@pytest.mark.parametrize("query", ["", "path=", "other=1"])
async def test_a_required_parameter_that_is_missing_or_empty(ask, query: str) -> None:
    app, _ = make()
    answer = await ask(app, "GET", OBJECTS, query=query, headers=KNOWN)
    assert answer.status == 400
    assert "path" in answer.json()["message"]


async def test_queries_are_decoded(ask) -> None:
    app, seen = make()
    await ask(app, "GET", OBJECTS + "/ls", query="prefix=a+b%2B%C3%A9&presign=TRUE&amount=-1&&x=1", headers=KNOWN)
    query = seen[0].query
    assert (query.prefix, query.presign, query.limit, query.after) == ("a b+é", True, 100, "")
    await ask(app, "GET", "/api/v1/repositories/lake/refs/main/commits", query="objects=a&objects=b&amount=1&amount=2",
              headers=KNOWN)  # fmt: skip
    assert seen[1].query.objects == ["a", "b"]
    assert seen[1].query.items == 1


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "empty"),
        (b"{", "JSON"),
        (b"no", "JSON"),
        (b"\xff", "JSON"),
        (b'{"name":"\xff","source":"a"}', "UTF-8"),
        (b"[]", "object"),
        (b"{}", "name"),
        (b'{"name":"a"}', "source"),
        (b'{"name":1,"source":"a"}', "name"),
        (b'{"name":"a","source":"a"} x', "JSON"),
        (b'{"name":"a","source":"b","x":' + b"[" * 100_000, "JSON"),
    ],
)
async def test_bodies_that_are_refused_say_why(ask, body: bytes, text: str) -> None:
    app, seen = make()
    answer = await ask(app, "POST", BRANCHES, body=body, headers=KNOWN)
    assert answer.status == 400, answer.body
    assert text in answer.json()["message"]
    assert not seen


async def test_bodies_that_end_early(ask) -> None:
    app, seen = make()
    body = b'{"name":"a","source":"b"}'
    for options in ({"length": 100}, {"disconnect": True}, {"disconnect": True, "length": None}):
        answer = await ask(app, "POST", BRANCHES, body=body, headers=KNOWN, **options)
        assert (answer.status, answer.headers["x-lakehouse-error"]) == (400, "incomplete_body")
    assert not seen


async def test_bodies_that_are_too_large(ask) -> None:
    app, seen = make(limits=Limits(json_body=30))
    fits = b'{"name":"a","source":"b"}'
    assert (await ask(app, "POST", BRANCHES, body=[fits[:9], fits[9:]], headers=KNOWN)).status == 201
    for options in ({}, {"length": None}):
        answer = await ask(app, "POST", BRANCHES, body=[fits, b" " * 30], headers=KNOWN, **options)
        assert (answer.status, answer.headers["x-lakehouse-error"]) == (400, "body_too_large")
        assert "30 bytes" in answer.json()["message"]
    assert len(seen) == 1


async def test_large_bodies_are_decoded_all_the_same(ask) -> None:
    app, seen = make({"create_branch": "c"}, limits=Limits(off_loop=10))
    answer = await ask(app, "POST", BRANCHES, body=b'{"name":"a","source":"b"}', headers=KNOWN)
    assert (answer.status, seen[0].body.source) == (201, "b")


async def test_optional_bodies(ask) -> None:
    app, seen = make()
    await ask(app, "POST", MERGE, headers=KNOWN)
    await ask(app, "POST", MERGE, headers=KNOWN, body=b"", length=None)
    await ask(app, "POST", MERGE, headers=KNOWN, body=b'{"message":"m"}')
    assert [call.body and call.body.message for call in seen] == [None, None, "m"]
    assert (await ask(app, "POST", MERGE, headers=KNOWN, body=b"{")).status == 400


async def test_errors_of_handlers(ask) -> None:
    app, _ = make({"get_branch": BranchNotFound(), "get_object": RangeNotSatisfiable(size=7)})
    answer = await ask(app, "GET", BRANCH, headers=KNOWN)
    assert (answer.status, answer.json()) == (404, {"message": "branch not found"})
    assert answer.headers["x-lakehouse-error"] == "branch_not_found"
    answer = await ask(app, "GET", OBJECTS, query="path=a", headers=KNOWN)
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */7")


async def test_a_bug_is_logged_and_hidden(ask, caplog) -> None:
    app, _ = make({"get_branch": KeyError("the secret")})
    with caplog.at_level(logging.ERROR):
        answer = await ask(app, "GET", BRANCH, headers=KNOWN)
    assert answer.status == 500
    assert "secret" not in answer.body.decode()
    assert answer.headers["x-request-id"] in answer.json()["message"]
    assert answer.headers["x-request-id"] in caplog.text
    assert "the secret" in caplog.text


async def test_head_has_headers_only(ask) -> None:
    app, _ = make({"head_object": Response(200, [(b"content-length", b"9")])})
    answer = await ask(app, "HEAD", OBJECTS, query="path=a", headers=KNOWN)
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "9")
    answer = await ask(app, "HEAD", OBJECTS, query="path=a")
    assert (answer.status, answer.body) == (401, b"")


async def test_streams_in_and_out(ask) -> None:
    async def echo(call: Any) -> Response:
        return Response(201, [], call.stream())

    app, _ = make({"upload_object": echo})
    pieces = [b"a" * 200_000, b"b" * 200_000, b"c"]
    path = BRANCH + "/objects"
    for length in (-1, None):
        answer = await ask(app, "POST", path, query="path=a", body=pieces, headers=KNOWN, length=length)
        assert answer.body == b"".join(pieces)


async def test_a_stream_is_closed_when_the_client_leaves(ask) -> None:
    closed = asyncio.Event()
    given = []

    async def endless() -> Any:
        try:
            while True:
                given.append(1)
                yield b"x"
                await asyncio.sleep(0)
        finally:
            closed.set()

    async def answer(_call: Any) -> Response:
        return Response(200, [], endless())

    app, _ = make({"get_object": answer})
    async with asyncio.timeout(5):
        await ask(app, "GET", OBJECTS, query="path=a", headers=KNOWN, disconnect=True)
    assert closed.is_set()
    assert len(given) < 10


async def test_writes_outlive_their_callers_and_reads_do_not(ask, caplog) -> None:
    release, begun, done = asyncio.Event(), asyncio.Event(), []

    async def work(call: Any) -> None:
        begun.set()
        await release.wait()
        done.append(call.operation.name)

    async def fail(_call: Any) -> None:
        begun.set()
        await release.wait()
        raise BranchNotFound

    for answers, request in (
        ({"create_branch": work}, ("POST", BRANCHES, b'{"name":"a","source":"b"}')),
        ({"create_branch": fail}, ("POST", BRANCHES, b'{"name":"a","source":"b"}')),
        ({"get_branch": work}, ("GET", BRANCH, b"")),
    ):
        app, _ = make(answers)
        release.clear()
        begun.clear()
        method, path, body = request
        task = asyncio.ensure_future(ask(app, method, path, body=body, headers=KNOWN))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        await app.drain()
    assert done == ["create_branch"]
    assert "create_branch failed after its caller left" in caplog.text


async def test_observers_hear_of_every_answer(ask) -> None:
    heard: list[tuple[str, int]] = []
    app, _ = make(observe=lambda operation, status, seconds: heard.append((operation, status)))
    await ask(app, "GET", "/api/v1/healthcheck")
    await ask(app, "GET", "/api/v1/nothing")
    await ask(app, "GET", BRANCH)
    assert heard == [("health_check", 204), ("", 404), ("get_branch", 401)]


def test_every_operation_needs_a_handler_and_every_handler_an_operation() -> None:
    async def handler(_context: object, _call: Any) -> None: ...

    options: dict[str, Any] = {"authenticate": handler, "authorize": None, "errors": error_response}
    with pytest.raises(ValueError, match="health_check"):
        ApiApp(None, OPERATIONS[:1], {}, **options)
    with pytest.raises(ValueError, match="other"):
        ApiApp(None, OPERATIONS[:1], {"health_check": handler, "other": handler}, **options)
