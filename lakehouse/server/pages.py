# SPDX-License-Identifier: Apache-2.0
"""What is neither REST nor S3: health, the API document, logout, and a page that says where things are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from lakehouse import __version__
from lakehouse.api.openapi import openapi_document
from lakehouse.auth.identity import expired_cookies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from lakehouse.server.metrics_page import Page
    from lakehouse.wire.operation import Operation

_INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>lakehouse</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:4rem auto;padding:0 1rem}}code{{background:#eee}}
</style></head><body>
<h1>lakehouse {version}</h1>
<p>A versioned data lake: branches, commits, diffs and merges for data in an object store.</p>
<ul>
<li><code>{root}/api/v1</code> is the REST API; <a href="/openapi.json">its document</a></li>
<li><code>{root}</code> is also the S3 endpoint for physical addresses (path style)</li>
<li><a href="/_health">health</a></li>
</ul>
</body></html>
"""
_SAFE = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "SAMEORIGIN"}


def pages(external_url: str, operations: Sequence[Operation], *, metrics: Page) -> Starlette:
    """The application for everything that has no side of its own. `operations`: those that the server answers."""
    made: list[bytes] = []

    async def index(request: Request) -> Response:
        root = external_url or str(request.base_url).rstrip("/")
        return HTMLResponse(_INDEX.format(version=__version__, root=_text(root)), headers=_SAFE)

    async def document(request: Request) -> Response:
        if not made:
            made.append(msgspec.json.encode(openapi_document(operations, version=__version__)))
        return Response(made[0], media_type="application/json", headers=_SAFE)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/_health", _health),
            Route("/openapi.json", document),
            Route("/metrics", metrics),
            Route("/logout", _logout),
            Route("/{rest:path}", _unknown, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )


def _text(url: str) -> str:
    return url.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


async def _health(request: Request) -> Response:
    return PlainTextResponse("alive!", headers=_SAFE)


async def _logout(request: Request) -> Response:
    response = RedirectResponse("/", status_code=307)
    for cookie in expired_cookies(secure=request.url.scheme == "https"):
        response.headers.append("set-cookie", cookie)
    return response


async def _unknown(request: Request) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"message": "invalid API endpoint"}, status_code=404, headers=_SAFE)
    return JSONResponse(
        {"message": f"nothing is at {request.url.path}; the REST API is under /api/v1"}, status_code=404, headers=_SAFE
    )
