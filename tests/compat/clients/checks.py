# SPDX-License-Identifier: Apache-2.0
"""What the scripts beside this one share: where the server is, fresh names, and running the checks one by one.

Runs where only the clients are installed: standard library, nothing else.
"""

from __future__ import annotations

import base64
import json
import os
import traceback
import urllib.error
import urllib.request
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDPOINT = os.environ["CHECK_ENDPOINT"]
API = f"{ENDPOINT}/api/v1"
KEY = os.environ["CHECK_KEY"]
SECRET = os.environ["CHECK_SECRET"]


def fresh(prefix: str = "repo") -> str:
    """A repository name that was not used before."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def namespace(repository: str) -> str:
    """A place in the embedded store for a repository: old clients insist on naming one."""
    return f"s3://lake.local/{repository}"


def http(
    method: str,
    path: str,
    *,
    body: Any = None,
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """A request of our own, for what a client has no method for: status, headers (names in lower case), body."""
    sent = {"Authorization": "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode(), **(headers or {})}
    if body is not None:
        data = json.dumps(body).encode()
        sent["Content-Type"] = "application/json"
    url = path if path.startswith("http") else API + path
    request = urllib.request.Request(url, data=data, method=method, headers=sent)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


@contextmanager
def fails(*kinds: type[BaseException], status: int | None = None, says: str = "") -> Iterator[list[Any]]:
    """The block must raise one of `kinds`, with this HTTP status and this text in its message; yields a list for it."""
    caught: list[Any] = []
    try:
        yield caught
    except kinds as error:
        caught.append(error)
    assert caught, f"nothing was raised; expected {[kind.__name__ for kind in kinds]} {status or ''} {says}"
    found = getattr(caught[0], "status", None) or getattr(caught[0], "status_code", None)
    assert status in (None, found), f"status {found}, expected {status}: {caught[0]}"
    assert says in f"{caught[0]} {getattr(caught[0], 'body', '')}", f"{says!r} is not in: {caught[0]}"


def equal(found: Any, expected: Any) -> None:
    assert found == expected, f"found {found!r}, expected {expected!r}"


def run(names: dict[str, Any]) -> None:
    """Run the functions `check_...` of a script in order, and write down what went wrong in each."""
    checks: dict[str, Callable[[], None]] = {k: v for k, v in names.items() if k.startswith("check_")}
    report: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check()
            report[name] = ""
        except Exception:
            report[name] = traceback.format_exc()
    Path(os.environ["CHECK_REPORT"]).write_text(json.dumps(report))
