# SPDX-License-Identifier: Apache-2.0
"""What `Storage` raises: the class says what an answer's status meant, the text is the server's own.

Exception
├── ClientError                           4xx   the request was at fault
│   ├── BadRequestError                   400, 422
│   ├── AuthError                         401   no credentials, or none that are good
│   ├── ForbiddenError                    403   the account may not, or a signed URL is no longer good
│   ├── NotFoundError                     404
│   ├── ProxyAuthenticationRequiredError  407
│   ├── ConflictError                     409
│   ├── GoneError                         410
│   └── RateLimitError                    429   `retry_after`: what the server said of when to come back
└── ServerError                           5xx, or no answer at all
    └── GatewayTimeoutError               504
"""

from __future__ import annotations

from typing import Final


class ClientError(Exception):
    """The request was at fault. `status` is that of the answer, 0 when there was none."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class BadRequestError(ClientError):
    """The request can never succeed as it stands."""


class AuthError(ClientError):
    """There are no credentials, or none that are good."""


class ForbiddenError(ClientError):
    """The account is known and may not do that, or a signed URL is no longer good."""


class NotFoundError(ClientError):
    """Nothing is stored at this key."""


class ProxyAuthenticationRequiredError(ClientError):
    """A proxy in between wants to know who asks."""


class ConflictError(ClientError):
    """What is there does not allow it."""


class GoneError(ClientError):
    """It was there, and is no more."""


class RateLimitError(ClientError):
    """Too many requests. `retry_after` is what the server said of when to come back, or None."""

    def __init__(self, message: str, *, status: int = 429, retry_after: str | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class ServerError(Exception):
    """The server failed, or could not be reached. `original_status` is that of the answer, 0 when there was none."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.original_status = status


class GatewayTimeoutError(ServerError):
    """A proxy in between had no answer in time."""


_CLIENT: Final[dict[int, type[ClientError]]] = {
    400: BadRequestError,
    401: AuthError,
    403: ForbiddenError,
    404: NotFoundError,
    407: ProxyAuthenticationRequiredError,
    409: ConflictError,
    410: GoneError,
    422: BadRequestError,
}


def error_of(status: int, text: str, *, retry_after: str | None = None) -> ClientError | ServerError:
    """The error that an answer stands for; `text` is its body."""
    message = text.strip() or f"status {status}"
    if status == 429:
        return RateLimitError(message, retry_after=retry_after)
    if status >= 500:
        kind = GatewayTimeoutError if status == 504 else ServerError
        return kind(message, status=status)
    return _CLIENT.get(status, ClientError)(message, status=status)
