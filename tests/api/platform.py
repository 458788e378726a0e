# SPDX-License-Identifier: Apache-2.0
"""Steps for tests of the neuro platform: callers with login tokens, and S3 requests with the keys that it hands out."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lakehouse.core.sigv4 import encode_path, sign_headers
from tests.api.people import made, make_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

ROOT = "http://localhost:8000/neuro/api/v1"
_numbers = itertools.count(1)


def fresh_bucket(word: str = "bucket") -> str:
    return f"{word}-{next(_numbers)}"


@asynccontextmanager
async def with_token(server: Any, token: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with server.client(base_url=ROOT, headers={"authorization": f"Bearer {token}"}) as client:
        yield client


async def token_of(server: Any, key: str, secret: str) -> str:
    async with server.client() as client:
        body = {"access_key_id": key, "secret_access_key": secret}
        return (await made(client.post("/auth/login", json=body), 200))["token"]


@asynccontextmanager
async def as_person(server: Any, api: httpx2.AsyncClient, *groups: str, name: str | None = None):
    """A new user of these groups: the name, and a client of the platform."""
    name = await make_user(api, *groups, name=name)
    pair = await made(api.post(f"/auth/users/{name}/credentials"), 201)
    token = await token_of(server, pair["access_key_id"], pair["secret_access_key"])
    async with with_token(server, token) as client:
        yield name, client


async def new_bucket(client: httpx2.AsyncClient, name: str | None = None, **more: Any) -> dict[str, Any]:
    body = {"name": fresh_bucket() if name is None else name, "org_name": "lakehouse", **more}
    return await made(client.post("/buckets", json=body), 201)


async def keys_of(client: httpx2.AsyncClient, bucket: str) -> dict[str, str]:
    answer = await made(client.post(f"/buckets/{bucket}/make_tmp_credentials"), 200)
    return answer["credentials"]


async def s3(
    server: Any,
    keys: dict[str, str],
    method: str,
    key: str = "",
    *,
    bucket: str = "",
    content: bytes = b"",
    query: tuple[tuple[str, str], ...] = (),
    late: float = 0,
) -> httpx2.Response:
    """An S3 request as the SDKs send it; `late`: seconds that the client's clock is behind."""
    end = urlsplit(keys["endpoint_url"])
    path = f"{end.path}/{bucket or keys['bucket_name']}/{key}".encode()
    headers = {"host": end.netloc}
    if "session_token" in keys:
        headers["x-amz-security-token"] = keys["session_token"]
    added = sign_headers(
        method,
        path=path,
        headers=headers,
        access_key_id=keys["access_key_id"],
        secret=keys["secret_access_key"],
        region=keys["region_name"],
        now=server.clock.now - late,
        query=query,
    )
    async with server.client(base_url=f"{end.scheme}://{end.netloc}") as client:
        return await client.request(
            method, encode_path(path), params=dict(query), headers={**headers, **added}, content=content
        )
