# SPDX-License-Identifier: Apache-2.0
"""The Python SDK: `Client` and `AsyncClient`, bound to the same declarations as the server.

Errors are the classes of `lakehouse.core.errors`, requests and answers the types of `lakehouse.wire`.
"""

from lakehouse.sdk._async.client import AsyncClient
from lakehouse.sdk._sync.client import Client
from lakehouse.sdk.retry import Retry

__all__ = ["AsyncClient", "Client", "Retry"]
