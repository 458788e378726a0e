# SPDX-License-Identifier: Apache-2.0
"""Log lines: their form, and what is never in them."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

import pytest

from lakehouse.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = before
    root.setLevel(level)


def test_json_lines(stream: io.StringIO) -> None:
    logs.configure(form="json", stream=stream)
    token = logs.request_id.set("r-1")
    try:
        logging.getLogger("lakehouse.x").warning("hello %s", "you", extra={"status": 200})
    finally:
        logs.request_id.reset(token)
    logging.getLogger("lakehouse.x").debug("not this")
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning", "logger": "lakehouse.x", "message": "hello you", "request_id": "r-1", "status": "200",
    }  # fmt: skip


def test_text_lines(stream: io.StringIO) -> None:
    logs.configure(level="debug", stream=stream)
    logging.getLogger("lakehouse.x").debug("hello", extra={"status": 200})
    assert stream.getvalue().endswith(" DEBUG lakehouse.x hello status=200\n")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "message",
    [
        "Authorization: Bearer hunter2hunter2",
        "headers {'authorization': 'Basic hunter2hunter2', 'host': 'kept'}",
        "[(b'authorization', b'AWS4-HMAC-SHA256 Credential=x, Signature=hunter2')]",
        "got Basic hunter2hunter2==",
        "token eyJhunter2.eyJhunter2.hunter2",
        "GET /x?X-Amz-Signature=hunter2&host=kept",
        'body {"secret_access_key": "hunter2"}',
        "secret_access_key=hunter2",
        "password: hunter2",
    ],
)
def test_secrets_are_blotted_out(stream: io.StringIO, form: str, message: str) -> None:
    logs.configure(form="json" if form == "json" else "text", stream=stream)
    log = logging.getLogger("lakehouse.x")
    log.warning("%s", message, extra={"field": message})
    try:
        raise ValueError(message)
    except ValueError:
        log.exception("failed")
    assert "hunter2" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert ("kept" in message) <= ("kept" in stream.getvalue())
