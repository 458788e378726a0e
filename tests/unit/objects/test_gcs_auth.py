# SPDX-License-Identifier: Apache-2.0
"""Google Cloud Storage: signatures that its public key confirms, tokens that are asked for once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from lakehouse.core.errors import BadConfiguration, InvalidArgument, StorageUnavailable
from lakehouse.objects.gcs_auth import GcsSigner, Tokens, read_account
from lakehouse.objects.port import Location
from tests.contracts.emulators import service_account

pytestmark = pytest.mark.anyio

NOW = 1_750_000_000.0


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    path = tmp_path_factory.mktemp("gcs") / "account.json"
    path.write_text(service_account())
    return read_account(str(path))


def test_a_signed_url(account) -> None:
    signer = GcsSigner(account, endpoint="https://storage.googleapis.com", clock=lambda: NOW)
    url = urlsplit(signer.presign("PUT", Location("b", "a b/ü~,x"), expires=60))
    assert (url.netloc, url.path) == ("storage.googleapis.com", "/b/a%20b/%C3%BC~%2Cx")
    query, _, signature = url.query.rpartition("&X-Goog-Signature=")
    stamp = "20250615T150640Z"
    assert parse_qs(query)["X-Goog-Date"] == [stamp]
    assert parse_qs(query)["X-Goog-Expires"] == ["60"]
    # Written out by hand from the documentation of the V4 signing process.
    canonical = f"PUT\n{url.path}\n{query}\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"GOOG4-RSA-SHA256\n{stamp}\n20250615/auto/storage/goog4_request\n{digest}"
    verify = account.key.public_key().verify
    verify(bytes.fromhex(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        verify(bytes.fromhex(signature), text.encode() + b"x", padding.PKCS1v15(), hashes.SHA256())
    for expires in (0, 604_801):
        with pytest.raises(InvalidArgument):
            signer.presign("GET", Location("b", "k"), expires=expires)


async def test_a_token_is_used_until_its_end(account) -> None:
    asked: list[httpx2.Request] = []
    now = [NOW]

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json={"access_token": f"t{len(asked)}", "expires_in": 3600})

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        tokens = Tokens(http, account, clock=lambda: now[0])
        found = await asyncio.gather(*(tokens.headers() for _ in range(5)))
        assert found == [{"authorization": "Bearer t1"}] * 5
        now[0] += 3539
        assert await tokens.headers() == found[0]
        now[0] += 2
        assert await tokens.headers() == {"authorization": "Bearer t2"}
    assert len(asked) == 2
    assertion = parse_qs(asked[0].content.decode())["assertion"][0]
    claims = jwt.decode(
        assertion, account.key.public_key(), ["RS256"], audience=account.token_uri, options={"verify_exp": False}
    )
    assert (claims["iss"], claims["exp"]) == (account.client_email, int(NOW) + 3600)


async def test_the_machines_own_account() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["metadata-flavor"] == "Google"
        return httpx2.Response(200, json={"access_token": "t", "expires_in": 60})

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        assert await Tokens(http, None, clock=lambda: NOW).headers() == {"authorization": "Bearer t"}


async def test_a_refusal(account) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(403, text="no"))
    async with httpx2.AsyncClient(transport=transport) as http:
        with pytest.raises(StorageUnavailable, match="403 no"):
            await Tokens(http, account, clock=lambda: NOW).headers()


@pytest.mark.parametrize("content", [None, "{", '{"client_email": "a"}'])
def test_files_that_are_no_accounts(tmp_path, content) -> None:
    path = tmp_path / "account.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadConfiguration, match="service account"):
        read_account(str(path))


def test_a_key_that_is_none(tmp_path) -> None:
    path = tmp_path / "account.json"
    path.write_text(json.dumps({"client_email": "a", "private_key": "nonsense"}))
    with pytest.raises(BadConfiguration, match="private key"):
        _ = read_account(str(path)).key
