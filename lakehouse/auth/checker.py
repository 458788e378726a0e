# SPDX-License-Identifier: Apache-2.0
"""What a known caller may do. Asked once for each operation, with the action and resource of its declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lakehouse.core.errors import Unauthenticated

if TYPE_CHECKING:
    from lakehouse.core.records import User


class Checker(Protocol):
    """Decides about actions. Must be cheap: it runs in the event loop, on every request."""

    def authorize(self, user: User | None, action: str, resource: str) -> User:
        """The user, if the action (`fs:WriteObject`) on the resource (`repository/r/object/p`) is allowed.

        Raises Unauthenticated for callers that are not known, InsufficientPermissions for those that may not.
        """
        ...


class AnyUser:
    """The single-user mode: whoever is known may do everything."""

    def authorize(self, user: User | None, action: str, resource: str) -> User:
        if user is None:
            raise Unauthenticated
        return user
