# SPDX-License-Identifier: Apache-2.0
"""Who we are to Google Cloud Storage: access tokens, and V4 signatures of URLs.

Sources: "Using OAuth 2.0 for server to server applications" and "V4 signing process with your own program" in Google's
documentation.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import jwt
import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from lakehouse.core.errors import BadConfiguration, InvalidArgument, StorageUnavailable
from lakehouse.core.sigv4 import host_header
from lakehouse.objects.address import key_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx2

    from lakehouse.core.clock import Clock
    from lakehouse.objects.port import Location

ALGORITHM = "GOOG4-RSA-SHA256"
MAX_EXPIRES = 604_800
METADATA = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_EARLY = 60
"""Seconds before its end at which a token is replaced."""


class ServiceAccount(msgspec.Struct, frozen=True):
    """The file that Google makes for a service account: what we need of it."""

    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105  (an address)

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """Raises BadConfiguration."""
        try:
            found = serialization.load_pem_private_key(self.private_key.encode(), None)
        except ValueError as error:
            raise BadConfiguration(f"the private key of {self.client_email} cannot be read: {error}") from error
        if not isinstance(found, rsa.RSAPrivateKey):
            raise BadConfiguration(f"the private key of {self.client_email} is no RSA key")
        return found


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int


def read_account(path: str) -> ServiceAccount:
    """The service account in a file. Raises BadConfiguration."""
    try:
        return msgspec.json.decode(Path(path).expanduser().read_bytes(), type=ServiceAccount)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadConfiguration(f"credentials: {path}: no service account file can be read there: {error}") from error


class Tokens:
    """Access tokens of a service account, or of the machine that we run on; each is used almost to its end."""

    def __init__(self, http: httpx2.AsyncClient, account: ServiceAccount | None, *, clock: Clock) -> None:
        self._http = http
        self._account = account
        self._clock = clock
        self._token = ""
        self._until = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def headers(self) -> dict[str, str]:
        """The Authorization header. Raises StorageUnavailable."""
        if self._clock() >= self._until:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.get_running_loop().create_task(self._ask())
            await asyncio.shield(self._asking)
        return {"authorization": f"Bearer {self._token}"}

    async def _ask(self) -> None:
        now = self._clock()
        if self._account is None:
            answer = await self._http.get(METADATA, headers={"metadata-flavor": "Google"})
        else:
            account = self._account
            claims = {"iss": account.client_email, "scope": _SCOPE, "aud": account.token_uri}
            signed = jwt.encode(
                {**claims, "iat": int(now), "exp": int(now) + 3600},
                account.key,
                algorithm="RS256",
                headers={"kid": account.private_key_id},
            )
            form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": signed}
            answer = await self._http.post(account.token_uri, data=form)
        if answer.status_code != 200:
            raise StorageUnavailable(f"Google gives no access token: {answer.status_code} {answer.text[:200]}")
        token = msgspec.json.decode(answer.content, type=_Token)
        self._token, self._until = token.access_token, now + token.expires_in - _EARLY


class GcsSigner:
    """A Presigner: URLs signed with the key of a service account."""

    def __init__(self, account: ServiceAccount, *, endpoint: str, clock: Clock) -> None:
        self._key = account.key
        self._email = account.client_email
        self._endpoint = endpoint
        self._clock = clock

    def presign(
        self,
        method: str,
        location: Location,
        *,
        expires: int,
        endpoint: str = "",
        query: Sequence[tuple[str, str]] = (),
    ) -> str:
        """A URL for GET or PUT; the caller's own endpoint plays no part. Raises InvalidArgument."""
        if not 1 <= expires <= MAX_EXPIRES:
            raise InvalidArgument(f"a presigned URL can be valid for 1 to {MAX_EXPIRES} seconds, not {expires}")
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        scope = f"{stamp[:8]}/auto/storage/goog4_request"
        parts = {
            "X-Goog-Algorithm": ALGORITHM,
            "X-Goog-Credential": f"{self._email}/{scope}",
            "X-Goog-Date": stamp,
            "X-Goog-Expires": str(expires),
            "X-Goog-SignedHeaders": "host",
            **dict(query),
        }
        text = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(parts.items()))
        path = f"/{location.bucket}/" + quote(key_bytes(location.key), safe="/-._~")
        path = urlsplit(self._endpoint).path.rstrip("/") + path
        host = host_header(self._endpoint)
        canonical = f"{method}\n{path}\n{text}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
        signed = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        found = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()).hex()
        return f"{urlsplit(self._endpoint).scheme}://{urlsplit(self._endpoint).netloc}{path}?{text}&X-Goog-Signature={found}"


def _quoted(text: str) -> str:
    return quote(text, safe="-._~")
