# SPDX-License-Identifier: Apache-2.0
"""A lakehouse that containers are in: where it is, and with which keys."""

from __future__ import annotations

from enum import IntEnum

from lakehouse.core.errors import InvalidArgument
from lakehouse.sdk._sync.client import Client


class LocationID(IntEnum):
    """Which of a store's locations. The numbers are Flyte's."""

    MAIN = 0
    SIGNED_URL = 1
    """Where signed URLs lead: the same data under another name, such as one that is known outside of a cluster."""


class Location:
    """One location. `client` overrides how it is reached, for tests and proxies."""

    def __init__(
        self,
        endpoint: str,
        *,
        access_key_id: str,
        secret_access_key: str,
        region: str = "us-east-1",
        client: Client | None = None,
    ) -> None:
        """Raises InvalidArgument for an endpoint that is none."""
        if not endpoint.startswith(("http://", "https://")):
            raise InvalidArgument(f"endpoint {endpoint!r}: must begin with http:// or https://")
        self.endpoint = endpoint.rstrip("/").removesuffix("/s3")
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.region = region
        self.client = client or Client(self.endpoint, access_key_id=access_key_id, secret_access_key=secret_access_key)

    def __repr__(self) -> str:
        return f"Location({self.endpoint!r})"

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()
