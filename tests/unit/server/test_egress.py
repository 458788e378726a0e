# SPDX-License-Identifier: Apache-2.0
"""Where the server itself may send requests, and that it goes to the address that was judged."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from lakehouse.core.errors import Unavailable
from lakehouse.server.egress import LARGEST, Egress

pytestmark = pytest.mark.anyio


def egress(*addresses: str, private: bool = False, loopback: bool = False, answer=None):
    """One way out whose names resolve to these addresses; what it sends is in `seen`."""
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return answer or httpx2.Response(200, content=b"ok")

    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    made = Egress(private=private, loopback=loopback, resolve=resolve, transport=httpx2.MockTransport(handle))
    return made, seen


@pytest.mark.parametrize(
    ("address", "private", "loopback", "reached"),
    [
        ("93.184.216.34", False, False, True),
        ("2606:2800:220:1::1", False, False, True),
        ("127.0.0.1", False, False, False),
        ("127.0.0.1", False, True, True),
        ("::1", True, False, True),
        ("::ffff:127.0.0.1", False, False, False),
        ("10.0.0.1", False, True, False),
        ("10.0.0.1", True, False, True),
        ("fd00::1", False, False, False),
        ("fd00::1", True, False, True),
        ("100.64.0.1", False, False, False),
        ("169.254.169.254", True, True, False),
        ("::ffff:169.254.169.254", True, True, False),
        ("fe80::1", True, True, False),
        ("0.0.0.0", True, True, False),
        ("224.0.0.1", True, True, False),
    ],
)
async def test_addresses(address, private, loopback, reached) -> None:
    made, seen = egress(address, private=private, loopback=loopback)
    if reached:
        assert await made.get("https://login.example:8443/x?y=1") == b"ok"
        assert seen[0].url.host.strip("[]") == address
        assert seen[0].headers["host"] == "login.example:8443"
        assert seen[0].extensions["sni_hostname"] == "login.example"
    else:
        with pytest.raises(Unavailable, match="may not be reached"):
            await made.get("https://login.example/")
        assert seen == []
    await made.close()


async def test_one_bad_address_among_good_ones() -> None:
    made, seen = egress("93.184.216.34", "169.254.169.254")
    with pytest.raises(Unavailable):
        await made.get("http://login.example/")
    assert seen == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/", "http://u:p@login.example/", "http://", "x", "http://[::"]
)
async def test_urls_that_are_none(url) -> None:
    made, seen = egress("93.184.216.34")
    with pytest.raises(Unavailable):
        await made.get(url)
    assert seen == []


async def test_redirections_are_not_followed() -> None:
    made, seen = egress("93.184.216.34", answer=httpx2.Response(302, headers={"location": "http://169.254.169.254/"}))
    with pytest.raises(Unavailable, match="302"):
        await made.get("http://login.example/")
    assert len(seen) == 1


async def test_large_answers_are_not_read() -> None:
    made, _ = egress("93.184.216.34", answer=httpx2.Response(200, content=b"x" * (LARGEST + 1)))
    with pytest.raises(Unavailable, match="larger than"):
        await made.get("http://login.example/")


async def test_forms() -> None:
    made, seen = egress("93.184.216.34", answer=httpx2.Response(400, content=b"{}"))
    assert await made.post_form("https://login.example/t", {"a": "b c"}, user="u", password="p&") == (400, b"{}")
    assert seen[0].content == b"a=b+c"
    assert seen[0].headers["authorization"].startswith("Basic ")


async def test_names_that_nobody_knows() -> None:
    made = Egress()
    with pytest.raises(Unavailable):
        await made.get("http://no-such-host.invalid/")
    await made.close()


async def test_requests_of_hooks() -> None:
    made, seen = egress("127.0.0.1", loopback=True, answer=httpx2.Response(302, content=b"x" * (LARGEST + 5)))
    headers = {"X-Mine": "1", "Host": "other.example", "content-length": "7", "Transfer-Encoding": "chunked"}
    status, body = await made.request("POST", "http://hooks.example/a?b=c", headers=headers, body=b"{}", timeout=5)
    assert (status, len(body)) == (302, LARGEST)
    [request] = seen
    assert request.headers["host"] == "hooks.example"
    assert request.headers["content-length"] == "2"
    assert request.headers["x-mine"] == "1"
    assert "transfer-encoding" not in request.headers
    for wrong in ({"X": "a\u20ac"}, {"\u20ac": "x"}):
        with pytest.raises(Unavailable):
            await made.request("POST", "http://hooks.example/", headers=wrong, body=b"", timeout=5)


async def test_a_request_of_a_hook_ends_in_time() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(Unavailable, match="no answer within 0 seconds"):
        await Egress(resolve=never).request("POST", "http://hooks.example/", headers={}, body=b"", timeout=0)


async def test_nothing_is_sent_once_it_is_closed() -> None:
    made, seen = egress("93.184.216.34")
    await made.close()
    with pytest.raises(Unavailable, match="the server stops"):
        await made.get("https://login.example/")
    assert seen == []
