# SPDX-License-Identifier: Apache-2.0
"""A small OpenID Connect provider on loopback: discovery, keys, codes with PKCE, id tokens. Who logs in is set."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENT_ID, CLIENT_SECRET = "lake", "a secret & of the client"


class Provider:
    """The provider's state. `person`: the claims of whoever is at the browser."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.person: dict[str, Any] = {"sub": "1", "email": "ann@example.org"}
        self.clock: Callable[[], float] = time.time
        self.codes: dict[str, dict[str, str]] = {}
        self.keys = {"k1": ec.generate_private_key(ec.SECP256R1())}
        self.requests: list[str] = []

    def jwks(self) -> dict[str, Any]:
        listed = []
        for name, key in self.keys.items():
            algorithm = (
                jwt.algorithms.ECAlgorithm
                if isinstance(key, ec.EllipticCurvePrivateKey)
                else jwt.algorithms.RSAAlgorithm
            )
            listed.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": name, "use": "sig"})
        return {"keys": listed}

    def token(self, *, nonce: str | None = None, key: str = "k1", **claims: Any) -> str:
        """An id token for the person."""
        now = int(self.clock())
        said = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, **self.person, **claims}
        if nonce is not None:
            said["nonce"] = nonce
        signing = self.keys[key]
        algorithm = "ES256" if isinstance(signing, ec.EllipticCurvePrivateKey) else "RS256"
        return jwt.encode({k: v for k, v in said.items() if v is not None}, signing, algorithm, headers={"kid": key})

    def rotate(self) -> None:
        """Another key, of another kind."""
        self.keys = {"k2": rsa.generate_private_key(public_exponent=65537, key_size=2048)}

    def code(self, **asked: str) -> str:
        """A code as the page of the provider gives one out."""
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return code

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        asked = self.codes.pop(form.get("code", ""), None)
        if authorization != f"Basic {pair}" or form.get("grant_type") != "authorization_code":
            return 401, {"error": "invalid_client"}
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        challenge = asked.get("code_challenge")
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if challenge and base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() != challenge:
            return 400, {"error": "invalid_grant"}
        return 200, {
            "token_type": "Bearer",
            "id_token": self.token(nonce=asked.get("nonce"), key=next(iter(self.keys))),
        }


@contextmanager
def identity_provider() -> Iterator[Provider]:
    """A provider that runs until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            provider.requests.append(url.path)
            if url.path == "/.well-known/openid-configuration":
                self._answer(200, {
                    "issuer": provider.url, "authorization_endpoint": f"{provider.url}/authorize",
                    "token_endpoint": f"{provider.url}/token", "jwks_uri": f"{provider.url}/keys",
                })  # fmt: skip
            elif url.path == "/keys":
                self._answer(200, provider.jwks())
            elif url.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(url.query).items()}
                query = urlencode({"code": provider.code(**asked), "state": asked["state"]})
                self.send_response(302)
                self.send_header("location", f"{asked['redirect_uri']}?{query}")
                self.send_header("content-length", "0")
                self.end_headers()
            else:
                self._answer(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._answer(*provider.redeem(form, self.headers.get("authorization", "")))

        def _answer(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
