# SPDX-License-Identifier: Apache-2.0
"""Login tokens: what we issue others can read, and nothing that we did not issue gets in."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest

from lakehouse.auth import keys, tokens
from lakehouse.auth.keys import KeyRing
from lakehouse.core.errors import Unauthenticated
from lakehouse.core.ids import UserId
from lakehouse.core.records import User

NOW = 1_800_000_000
USER = User(UserId(7), "ada", NOW)
RING = KeyRing(b"the old master secret, 32 bytes.")
KEY_ID, KEY = RING.derive(keys.JWT)
GOOD = {
    "iss": "auth", "aud": "login", "sub": "ada", "identity": "ada", "uid": 7, "jti": "x", "iat": NOW, "exp": NOW + 60,
}  # fmt: skip


def forged(claims: dict[str, Any], *, key: bytes = KEY, algorithm: str = "HS256", kid: str = KEY_ID) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_other_programs_can_read_ours() -> None:
    token = tokens.issue(RING, USER, now=NOW + 0.9)
    assert token.expires == NOW + tokens.LIFETIME
    claims = jwt.decode(
        token.text,
        KEY,
        algorithms=["HS256"],
        audience="login",
        issuer="auth",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["jti"]
    assert claims | {"jti": ""} == GOOD | {"jti": "", "exp": token.expires}
    assert jwt.get_unverified_header(token.text) == {"alg": "HS256", "kid": KEY_ID, "typ": "JWT"}


def test_a_token_made_by_another_program_with_our_key_is_read() -> None:
    assert tokens.TokenReader(RING).verify(forged(GOOD), now=NOW).uid == 7


def test_a_token_for_a_pair_names_it_as_its_audience() -> None:
    """As a plain text: there are clients that compare it and take no list."""
    token = tokens.issue(RING, USER, now=NOW, seconds=60, access_key_id="AKIA1")
    options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token.text, KEY, algorithms=["HS256"], audience="AKIA1", issuer="iam", options=options)
    assert (claims["aud"], claims["exp"]) == ("AKIA1", NOW + 60)
    read = tokens.TokenReader(RING).verify(token.text, now=NOW)
    assert (read.iss, read.aud) == (tokens.CLIENT_ISSUER, "AKIA1")


def test_no_two_tokens_are_the_same() -> None:
    assert tokens.issue(RING, USER, now=NOW).text != tokens.issue(RING, USER, now=NOW).text


FORGED = {
    "another key": forged(GOOD, key=b"k" * 32),
    "another purpose": forged(GOOD, key=RING.derive(keys.ADDRESS)[1]),
    "unknown key id": forged(GOOD, kid="none"),
    "another algorithm": forged(GOOD, key=KEY * 2, algorithm="HS512"),
    "another algorithm, same key": jwt.encode(GOOD, KEY * 2, algorithm="HS384", headers={"kid": KEY_ID}),
    "no algorithm": f"{part({'alg': 'none', 'kid': KEY_ID})}.{part(GOOD)}.",
    "no signature": f"{part({'alg': 'HS256', 'kid': KEY_ID})}.{part(GOOD)}.",
    "expired": forged(GOOD | {"exp": NOW}),
    "another audience": forged(GOOD | {"aud": "elsewhere"}),
    "list of audiences": forged(GOOD | {"aud": ["login"]}),
    "another issuer": forged(GOOD | {"iss": "elsewhere"}),
    "critical extension": jwt.encode(GOOD, KEY, headers={"kid": KEY_ID, "crit": ["b64"], "b64": True}),
    "user id as text": forged(GOOD | {"uid": "7"}),
    "claims are a list": f"{part({'alg': 'HS256', 'kid': KEY_ID})}.{part([1])}.{'A' * 43}",
    "nothing": "",
    "no dots": "abc",
    "not ASCII": "é.é.é",
    "half of a character": "\udcff.a.b",
    "two parts": forged(GOOD).rpartition(".")[0],
    "four parts": forged(GOOD) + ".x",
    **{f"without {claim}": forged({name: GOOD[name] for name in GOOD if name != claim}) for claim in GOOD},
}


@pytest.mark.parametrize("what", list(FORGED))
def test_forged_tokens_are_refused_with_the_protocols_text(what: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        tokens.TokenReader(RING).verify(FORGED[what], now=NOW)
    assert caught.value.message == "error authenticating request"


def test_every_changed_character_is_noticed() -> None:
    text = tokens.issue(RING, USER, now=NOW).text
    for at, char in enumerate(text):
        other = "B" if char == "A" else "A"
        with pytest.raises(Unauthenticated):
            tokens.TokenReader(RING).verify(text[:at] + other + text[at + 1 :], now=NOW)


def test_rotation_keeps_old_tokens_for_as_long_as_the_old_secret_is_live() -> None:
    text = tokens.issue(RING, USER, now=NOW).text
    new = b"the new master secret, 32 bytes."
    assert tokens.TokenReader(KeyRing(new, b"the old master secret, 32 bytes.")).verify(text, now=NOW).sub == "ada"
    with pytest.raises(Unauthenticated):
        tokens.TokenReader(KeyRing(new)).verify(text, now=NOW)
