# SPDX-License-Identifier: Apache-2.0
"""Azure Blob Storage: containers are buckets, addresses are `az://CONTAINER/KEY`, bytes go through `obstore`.

URLs are service SAS of the account's key. Source: "Create a service SAS", Azure Storage documentation. Whoever PUTs to
one must send `x-ms-blob-type: BlockBlob`.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from obstore.store import AzureStore

from lakehouse.core.clock import system_clock
from lakehouse.core.errors import BadConfiguration, InvalidArgument
from lakehouse.objects.address import key_bytes, key_text
from lakehouse.objects.obstore import ObstoreStore
from lakehouse.objects.port import StoreDescription

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lakehouse.core.clock import Clock
    from lakehouse.objects.port import Location

VERSION = "2021-12-02"
"""Of the form of a SAS."""
_PERMISSIONS = {"GET": "r", "PUT": "cw"}
_EARLY = 300
"""Seconds before now from which a URL is good: clocks differ."""
MAX_EXPIRES = 604_800


def open_azure_store(
    *,
    bucket: str,
    endpoint: str,
    access_key_id: str,
    secret_access_key: str,
    region: str = "",
    clock: Clock = system_clock,
) -> AzureBlobStore:
    """The store of the account `access_key_id`, whose key is `secret_access_key`. `bucket` is what `/config` shows.

    `endpoint` is `https://host[/account]`, "" for Azure itself; there are no regions. Nothing is asked of the store
    yet. Raises BadConfiguration.
    """
    if not access_key_id:
        raise BadConfiguration("access_key_id: Azure needs the name of the storage account there")
    try:
        key = base64.b64decode(secret_access_key, validate=True)
    except binascii.Error as error:
        raise BadConfiguration(
            "secret_access_key: Azure needs the key of the storage account there, in Base64"
        ) from error
    where = (endpoint or f"https://{access_key_id}.blob.core.windows.net").rstrip("/")

    def open_bucket(name: str) -> AzureStore:
        return AzureStore(
            name,
            config={"account_name": access_key_id, "account_key": secret_access_key, "endpoint": where},
            client_options={"allow_http": where.startswith("http://")},
        )

    signer = SasSigner(account=access_key_id, key=key, endpoint=where, clock=clock)
    description = StoreDescription(
        kind="azure",
        scheme="az",
        namespace_example=f"az://{bucket}/my-repo/",
        presign=True,
        presign_multipart=False,
        importable=True,
    )
    return AzureBlobStore(open_bucket, description, signer=signer, clock=clock)


class AzureBlobStore(ObstoreStore):
    """An ObjectStore and Presigner. Made by `open_azure_store`."""

    def __init__(
        self,
        open_bucket: Callable[[str], AzureStore],
        description: StoreDescription,
        *,
        signer: SasSigner,
        clock: Clock,
    ) -> None:
        super().__init__(open_bucket, description, clock=clock)
        self.presign = signer.presign


class SasSigner:
    """A Presigner for blobs."""

    def __init__(self, *, account: str, key: bytes, endpoint: str, clock: Clock) -> None:
        self._account = account
        self._key = key
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
        """A URL for GET or PUT of a whole blob; the caller's own endpoint plays no part. Raises InvalidArgument."""
        if method not in _PERMISSIONS or query:
            raise InvalidArgument("this store can presign GET and PUT of whole objects only")
        if not 1 <= expires <= MAX_EXPIRES:
            raise InvalidArgument(f"a presigned URL can be valid for 1 to {MAX_EXPIRES} seconds, not {expires}")
        key = key_bytes(location.key)
        start, end = _stamp(self._clock() - _EARLY), _stamp(self._clock() + expires)
        resource = f"/blob/{self._account}/{location.bucket}/{key_text(key)}"
        # Between resource and version: identifier, IP range, protocol. After the kind `b`: snapshot, encryption scope
        # and five response headers.
        signed = [_PERMISSIONS[method], start, end, resource, "", "", "", VERSION, "b", "", "", "", "", "", "", ""]
        signature = base64.b64encode(hmac.digest(self._key, "\n".join(signed).encode(), "sha256")).decode()
        parts = {"sv": VERSION, "st": start, "se": end, "sr": "b", "sp": _PERMISSIONS[method], "sig": signature}
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in parts.items())
        return f"{self._endpoint}/{location.bucket}/{quote(key, safe='/-._~')}?{text}"


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
