# SPDX-License-Identifier: Apache-2.0
"""Who sent an S3 request.

A session of the lake (basic, bearer, cookie) goes before a signature: the web UI's query engine signs with keys that
are none, beside the user's cookie. A cookie alone authorizes reading only. Otherwise a signature of version 4 or 2
decides, and nothing of a body is read before it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from lakehouse.core.errors import Unauthenticated
from lakehouse.core.sigv4 import SigningKeys
from lakehouse.objects.presign import PRESIGN_KEY_ID
from lakehouse.s3.context import KeyRecord, LookupSecret
from lakehouse.s3.errors import S3Error
from lakehouse.s3.payload import open_payload
from lakehouse.s3.post_policy import read_form_claim
from lakehouse.s3.sigv2 import check_signature_v2, check_time_v2, read_claim_v2
from lakehouse.s3.sigv4 import check_signature, check_time, is_unsigned, read_claim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.core.clock import Clock
    from lakehouse.core.records import User
    from lakehouse.s3.request import S3Request
    from lakehouse.s3.sigv2 import ClaimV2


_TOKEN = "x-amz-security-token"  # noqa: S105  (a header's name)


NOBODY = KeyRecord("", "")
"""Who does not sign, where that is no error: may read what is public."""


class Sessions(Protocol):
    """Knows the lake's users."""

    async def of_session(self, headers: Mapping[str, str], *, method: str) -> User | None:
        """The user of a session of the lake, None when nothing tells. Raises Unauthenticated."""
        ...

    async def lookup_session(self, access_key_id: str, token: str) -> KeyRecord | None:
        """The record of a short-lived key with its session token. Raises SessionInvalid, SessionExpired."""
        ...

    async def admit(self, user: User, scope: Mapping[str, Any]) -> KeyRecord:
        """What a caller who proved to be `user` may use; `scope` tells where the request comes from."""
        ...


class Caller(msgspec.Struct, frozen=True):
    """The key that a request was signed with; `internal`: the server's own."""

    record: KeyRecord
    internal: bool = False


class Callers:
    """Tells who sent a request, and opens its body."""

    def __init__(
        self, *, lookup_secret: LookupSecret, presign_secret: str, sessions: Sessions | None, clock: Clock
    ) -> None:
        self._lookup_secret = lookup_secret
        self._presign_secret = presign_secret
        self._sessions = sessions
        self._clock = clock
        self._keys = SigningKeys()

    async def identify(self, request: S3Request) -> Caller:
        """The caller. The body of `request` is checked against what was announced from now on. Raises S3Error."""
        user = await self._of_session(request)
        if user is not None:
            open_payload(request, None, secret="", keys=self._keys)
            return Caller(await self._admitted(KeyRecord("", user.name, account=user), request))
        old = read_claim_v2(request)
        if old is not None:
            return Caller(await self._admitted(await self._by_version_2(request, old), request))
        if request.takes_unsigned and is_unsigned(request):
            return Caller(NOBODY)
        claim = read_claim(request)
        check_time(claim, self._clock())
        internal = claim.access_key_id == PRESIGN_KEY_ID
        if internal:
            record = KeyRecord(self._presign_secret, "", may_use_physical=True) if claim.presigned else None
        else:
            record = await self._lookup(request, claim.access_key_id)
        check_signature(claim, request, secret=record.secret if record else None, keys=self._keys)
        known = _known(record)
        open_payload(request, claim, secret=known.secret, keys=self._keys)
        return Caller(await self._admitted(known, request), internal=internal)

    async def identify_form(self, request: S3Request, fields: Mapping[str, str]) -> KeyRecord:
        """Whose key signed the policy of an upload form. Raises S3Error, SessionInvalid, SessionExpired."""
        claim = read_form_claim(fields)
        record = None
        if claim.access_key_id != PRESIGN_KEY_ID:
            record = await self._lookup(request, claim.access_key_id, token=fields.get(_TOKEN))
        claim.check(record.secret if record else None, self._keys)
        return await self._admitted(_known(record), request)

    async def _by_version_2(self, request: S3Request, claim: ClaimV2) -> KeyRecord:
        check_time_v2(claim, request, self._clock())
        record = None if claim.access_key_id == PRESIGN_KEY_ID else await self._lookup(request, claim.access_key_id)
        check_signature_v2(claim, request, secret=record.secret if record else None)
        open_payload(request, None, secret="", keys=self._keys)
        return _known(record)

    async def _admitted(self, record: KeyRecord, request: S3Request) -> KeyRecord:
        """The record with what its user may do, where there is one."""
        if record.account is None or self._sessions is None:
            return record
        return await self._sessions.admit(record.account, request.scope)

    async def _lookup(self, request: S3Request, access_key_id: str, *, token: str | None = None) -> KeyRecord | None:
        """The key that signed; with a session token, which must be signed too, the key of that session."""
        token = token or request.headers.get(_TOKEN) or request.query.get("X-Amz-Security-Token")
        if token and self._sessions is not None:
            return await self._sessions.lookup_session(access_key_id, token)
        return await self._lookup_secret(access_key_id)

    async def _of_session(self, request: S3Request) -> User | None:
        headers = request.headers
        if self._sessions is None or not ("cookie" in headers or "authorization" in headers):
            return None
        try:
            return await self._sessions.of_session(headers, method=request.method)
        except Unauthenticated as error:
            if headers.get("authorization", "").lower().startswith(("basic ", "bearer ")):
                raise S3Error("AccessDenied", error.message) from error
            return None  # a cookie that is out of date, or a write: the signature decides


def _known(record: KeyRecord | None) -> KeyRecord:
    if record is None:
        raise S3Error("AccessDenied", "the access key is not known here")
    return record
