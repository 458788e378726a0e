# SPDX-License-Identifier: Apache-2.0
"""Who calls the S3 side: users by their access keys and by their sessions, and who of them may use physical addresses.

Direct access to a bucket of the embedded store goes past the permissions of branches, so it needs one of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.s3.context import KeyRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.asgi.origin import Origin
    from lakehouse.auth.checker import Checker
    from lakehouse.auth.credentials import CredentialStore
    from lakehouse.auth.identity import Authenticator
    from lakehouse.core.records import Credentials, User

PHYSICAL = ("fs:UsePhysicalAddresses", "*")
"""The permission to sign requests on the store's own buckets."""


class S3Callers:
    """What the S3 side asks about callers."""

    def __init__(
        self, authenticator: Authenticator, credentials: CredentialStore, checker: Checker, origin: Origin
    ) -> None:
        self._authenticator = authenticator
        self._credentials = credentials
        self._checker = checker
        self._origin = origin

    async def lookup(self, access_key_id: str) -> KeyRecord | None:
        """The record of an access key; None when there is none."""
        return _record(await self._credentials.lookup(access_key_id))

    async def lookup_session(self, access_key_id: str, token: str) -> KeyRecord | None:
        """The record of a short-lived key, which its session token tells. Raises SessionInvalid, SessionExpired."""
        return _record(await self._credentials.lookup_session(access_key_id, token))

    async def of_session(self, headers: Mapping[str, str], *, method: str) -> User | None:
        """The user of a session, None when there is none. A cookie alone writes nothing. Raises Unauthenticated."""
        return await self._authenticator.authenticate(headers, method=method, cookie_writes=False)

    async def admit(self, user: User, scope: Mapping[str, Any]) -> KeyRecord:
        """The record of a caller who proved to be `user`: questions about them can be asked from now on."""
        account = await self._checker.prepare(user, peer=lambda: self._origin.peer(dict(scope)))
        physical = self._checker.allowed(account, *PHYSICAL)
        return KeyRecord("", account.name, may_use_physical=physical, account=account)


def _record(found: Credentials | None) -> KeyRecord | None:
    return None if found is None else KeyRecord(found.secret_access_key, found.user.name, account=found.user)
