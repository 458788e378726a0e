# SPDX-License-Identifier: Apache-2.0
"""Lines that are written while a request is answered carry its id."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import httpx2
import pytest

from lakehouse.api.errors import error_response
from lakehouse.asgi.dispatch import ApiApp
from lakehouse.telemetry.logs import JsonFormatter
from lakehouse.wire.operation import NOBODY_ASKED, Operation

pytestmark = pytest.mark.anyio


async def fail(context: Any, call: Any) -> None:
    logging.getLogger("room").warning("about to fail", extra={"password": "x"})
    raise ZeroDivisionError("secret=hunter22 Authorization: Basic aGVsbG86d29ybGQh")


async def nobody(call: Any) -> None:
    return None


async def test_the_id_is_on_every_line() -> None:
    operation = Operation(name="fail", id="fail", method="GET", path="/fail", tag="t", summary="", allow=NOBODY_ASKED)
    app = ApiApp(None, [operation], {"fail": fail}, authenticate=nobody, authorize=None, errors=error_response)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answers = [await client.get("/api/v1/fail") for _ in range(2)]
    finally:
        root.removeHandler(handler)
    assert [answer.status_code for answer in answers] == [500, 500]
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert [line["request_id"] for line in lines] == [ids[0], ids[0], ids[1], ids[1]]
    assert lines[0]["message"] == "about to fail"
    assert "ZeroDivisionError" in lines[1]["error"]
    assert "hunter22" not in stream.getvalue()
    assert "aGVsbG86" not in stream.getvalue()
