# SPDX-License-Identifier: Apache-2.0
"""Values by key and storage type: the documented interface of Descartes Labs Storage, on lakehouse.

from lakehouse.sdk.kv import Storage

store = Storage("http://127.0.0.1:8000/storage/v1", auth=("AKIA...", "..."))
store.set("greeting", "hello")
"""

from lakehouse.sdk.kv.errors import (
    AuthError,
    BadRequestError,
    ClientError,
    ConflictError,
    ForbiddenError,
    GatewayTimeoutError,
    GoneError,
    NotFoundError,
    ProxyAuthenticationRequiredError,
    RateLimitError,
    ServerError,
)
from lakehouse.sdk.kv.storage import Storage

__all__ = [
    "AuthError",
    "BadRequestError",
    "ClientError",
    "ConflictError",
    "ForbiddenError",
    "GatewayTimeoutError",
    "GoneError",
    "NotFoundError",
    "ProxyAuthenticationRequiredError",
    "RateLimitError",
    "ServerError",
    "Storage",
]
