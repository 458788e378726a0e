# SPDX-License-Identifier: Apache-2.0
"""Who calls the S3 side: users by their access keys and by their sessions, and who of them may use physical addresses.

Direct access to a bucket of the embedded store goes past the permissions of branches, so it needs one of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import LakehouseError
from lakehouse.s3.context import KeyRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.auth.checker import Checker
    from lakehouse.auth.credentials import CredentialStore
    from lakehouse.auth.identity import Authenticator
    from lakehouse.core.records import Credentials, User

PHYSICAL = ("fs:UsePhysicalAddresses", "*")
"""The permission to sign requests on the store's own buckets."""


class S3Callers:
    """What the S3 side asks about callers."""

    def __init__(self, authenticator: Authenticator, credentials: CredentialStore, checker: Checker) -> None:
        self._authenticator = authenticator
        self._credentials = credentials
        self._checker = checker

    async def lookup(self, access_key_id: str) -> KeyRecord | None:
        """The record of an access key; None when there is none."""
        return await self._record(await self._credentials.lookup(access_key_id))

    async def lookup_session(self, access_key_id: str, token: str) -> KeyRecord | None:
        """The record of a short-lived key, which its session token tells; None when it is not in force."""
        return await self._record(await self._credentials.lookup_session(access_key_id, token))

    async def _record(self, found: Credentials | None) -> KeyRecord | None:
        if found is None:
            return None
        user = found.user
        allowed = await self.may_use_physical(user)
        return KeyRecord(found.secret_access_key, user.name, may_use_physical=allowed, account=user)

    async def authenticate(
        self, headers: Mapping[str, str], *, method: str = "GET", origin: str | None = None, cookie_writes: bool = True
    ) -> User | None:
        """The user of a session, None when there is none. Raises Unauthenticated."""
        return await self._authenticator.authenticate(
            headers, method=method, origin=origin, cookie_writes=cookie_writes
        )

    async def may_use_physical(self, user: User) -> bool:
        """Whether a user may use the embedded store's own buckets."""
        try:
            self._checker.authorize(user, *PHYSICAL)
        except LakehouseError:
            return False
        return True
