# SPDX-License-Identifier: Apache-2.0
"""What is neither REST nor S3: health, the API document, logout, and a page that says where things are."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from lakehouse import __version__
from lakehouse.api.openapi import openapi_document
from lakehouse.api.reference import POLICY, reference_page
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
<li><code>{root}/api/v1</code> is the REST API; <a href="/docs">its reference</a>,
and <a href="/openapi.json">its document</a> for programs</li>
<li><code>{root}</code> is also the S3 endpoint for physical addresses (path style)</li>
<li><a href="/_health">health</a></li>
</ul>
</body></html>
"""
_SAFE = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "SAMEORIGIN"}


def pages(external_url: str, operations: Sequence[Operation], *, metrics: Page) -> Starlette:
    """The application for everything that has no side of its own. `operations`: those that the server answers."""

    @cache
    def described() -> dict[str, Any]:
        return openapi_document(operations, version=__version__)

    @cache
    def encoded() -> bytes:
        return msgspec.json.encode(described())

    @cache
    def rendered() -> str:
        return reference_page(operations, described())

    async def index(request: Request) -> Response:
        root = external_url or str(request.base_url).rstrip("/")
        return HTMLResponse(_INDEX.format(version=__version__, root=_text(root)), headers=_SAFE)

    async def document(request: Request) -> Response:
        return Response(encoded(), media_type="application/json", headers=_SAFE)

    async def reference(request: Request) -> Response:
        return HTMLResponse(rendered(), headers=_SAFE | {"Content-Security-Policy": POLICY})

    return Starlette(
        routes=[
            Route("/", index),
            Route("/_health", _health),
            Route("/openapi.json", document),
            Route("/docs", reference),
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
