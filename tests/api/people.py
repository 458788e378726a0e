# SPDX-License-Identifier: Apache-2.0
"""Users for tests of permissions: made by the administrator, each with a client of their own."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

_numbers = itertools.count(1)


def fresh(word: str) -> str:
    """A name that no test has used."""
    return f"{word}-{next(_numbers)}"


async def made(answer: Any, status: int) -> Any:
    """The body of an answer that must have this status."""
    found = await answer
    assert found.status_code == status, found.text
    return found.json() if found.content else None


async def make_user(api: httpx2.AsyncClient, *groups: str, name: str | None = None) -> str:
    """A new user in these groups."""
    name = name or fresh("user")
    await made(api.post("/auth/users", json={"id": name}), 201)
    for group in groups:
        await made(api.put(f"/auth/groups/{group}/members/{name}"), 201)
    return name


async def make_policy(api: httpx2.AsyncClient, *statements: dict[str, Any]) -> str:
    """A new policy."""
    name = fresh("policy")
    await made(api.post("/auth/policies", json={"id": name, "statement": list(statements)}), 201)
    return name


async def allow(api: httpx2.AsyncClient, user: str, *actions: str, on: str = "*", effect: str = "allow") -> str:
    """A new policy of one statement, for this user alone; its name."""
    policy = await make_policy(api, {"effect": effect, "action": list(actions), "resource": on})
    await made(api.put(f"/auth/users/{user}/policies/{policy}"), 201)
    return policy


@asynccontextmanager
async def as_user(server: Any, api: httpx2.AsyncClient, name: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a new key pair of this user."""
    pair = await made(api.post(f"/auth/users/{name}/credentials"), 201)
    async with server.client(auth=(pair["access_key_id"], pair["secret_access_key"])) as client:
        yield client
