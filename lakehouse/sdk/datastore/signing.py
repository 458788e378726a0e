# SPDX-License-Identifier: Apache-2.0
"""Signed URLs: AWS Signature Version 4 in the query, for one method, one object and one span of time.

Source: "Authenticating Requests: Using Query Parameters" in the Amazon S3 API Reference.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.sdk.datastore.location import Location

_ALGORITHM = "AWS4-HMAC-SHA256"


def signed_url(
    location: Location, method: str, path: str, *, headers: Mapping[str, str], seconds: int, now: float
) -> str:
    """The URL of `path` (not encoded, with its slash) at a location. `headers` must be sent with it as they are."""
    parts = urlsplit(location.endpoint)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{stamp[:8]}/{location.region}/s3/aws4_request"
    signed = dict(sorted({"host": parts.netloc, **{name.lower(): value for name, value in headers.items()}}.items()))
    names = ";".join(signed)
    query = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}"
        for name, value in sorted(
            {
                "X-Amz-Algorithm": _ALGORITHM,
                "X-Amz-Credential": f"{location.access_key_id}/{scope}",
                "X-Amz-Date": stamp,
                "X-Amz-Expires": str(seconds),
                "X-Amz-SignedHeaders": names,
            }.items()
        )
    )
    encoded = quote(parts.path + path, safe="/-_.~")
    lines = "".join(f"{name}:{value.strip()}\n" for name, value in signed.items())
    canonical = f"{method}\n{encoded}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{location.secret_access_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode(), "sha256").hex()
    return f"{parts.scheme}://{parts.netloc}{encoded}?{query}&X-Amz-Signature={signature}"
