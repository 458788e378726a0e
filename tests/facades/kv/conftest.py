# SPDX-License-Identifier: Apache-2.0
"""A whole server in the test's own process, and the storage interface of its accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.api.conftest import KEY, SECRET, Hands, settings_of, started
from tests.api.people import made, make_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

HOST = "http://localhost:8000"
ROOT = f"{HOST}/storage/v1"


class Account:
    """An account's values, by plain HTTP. `rest` is its client of the REST side."""

    def __init__(self, server: Any, name: str, rest: httpx2.AsyncClient, storage: httpx2.AsyncClient) -> None:
        self.server = server
        self.name = name
        self.rest = rest
        self.http = storage
        self.bare = server.client(base_url=HOST)

    async def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        return await self.http.request(method, f"{ROOT}/{path}", **options)

    async def key(self, method: str, key: str, *, kind: str = "data", word: str = "get", **options: Any) -> Any:
        middle = f"{word}/" if word else ""
        encoded = quote(key, safe="").replace(".", "%2E")  # as they are, `..` would be taken for a way up
        return await self.ask(method, f"{kind}/{middle}{encoded}", **options)

    async def url(self, word: str, key: str, *, kind: str = "data") -> str:
        answer = await self.key("GET", key, kind=kind, word=word)
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    async def set(self, key: str, value: Any, *, kind: str = "data", **options: Any) -> httpx2.Response:
        url = await self.url("new_resumable_url", key, kind=kind)
        return await self.bare.put(url, content=value, **options)

    async def get(self, key: str, *, kind: str = "data") -> bytes | int:
        """The value, or the status of the refusal."""
        answer = await self.key("GET", key, kind=kind)
        return answer.content if answer.status_code == 200 else answer.status_code

    async def list(self, *, kind: str = "data", **query: str) -> list[str]:
        answer = await self.ask("GET", f"{kind}/list", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def close(self) -> None:
        for client in (self.rest, self.http, self.bare):
            await client.aclose()


async def account_of(server: Any, name: str, pair: tuple[str, str]) -> Account:
    """The storage of a user, with the token of a login."""
    rest = server.client(auth=pair)
    login = {"access_key_id": pair[0], "secret_access_key": pair[1]}
    token = (await made(rest.post("/auth/login", json=login), 200))["token"]
    return Account(server, name, rest, server.client(base_url=ROOT, headers={"authorization": f"Bearer {token}"}))


async def new_account(server: Any, api: httpx2.AsyncClient, *groups: str, name: str | None = None) -> Account:
    """A new user's storage; without groups, a user who may do nothing yet."""
    name = await make_user(api, *groups, name=name)
    pair = await made(api.post(f"/auth/users/{name}/credentials"), 201)
    return await account_of(server, name, (pair["access_key_id"], pair["secret_access_key"]))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
async def server(request, tmp_path_factory):
    """A server on each database."""
    running = await started(tmp_path_factory.mktemp("data"), Hands(), **settings_of(request))
    yield running
    await running.application.stop()


@pytest.fixture(scope="module")
async def api(server) -> AsyncIterator[httpx2.AsyncClient]:
    """A REST client that is the administrator."""
    async with server.client(auth=(KEY, SECRET)) as client:
        yield client


@pytest.fixture(scope="module")
async def admin(server):
    """The administrator's storage."""
    account = await account_of(server, "admin", (KEY, SECRET))
    yield account
    await account.close()


@pytest.fixture
async def account(server, api):
    """The storage of a new user who may do everything with objects."""
    found = await new_account(server, api, "Developers")
    yield found
    await found.close()
