# SPDX-License-Identifier: Apache-2.0
"""URIs of blobs and of local files, and the keys and paths that they mean.

`blob:bucket/key` is in one's own project, `blob:/project/bucket/key` in another, `blob://cluster/[org/]project/bucket/key`
says all. A key is what the URI says when percent-encoding is taken off it; `joined` puts it on again, so that every key
but those with a segment `.` or `..` has a URI.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from yarl import URL

_SAFE = "/!$&'()*+,;=:@-._~"


@dataclass(frozen=True)
class Home:
    """Where URIs without a host are at home."""

    cluster: str
    org: str | None
    user: str


@dataclass(frozen=True)
class BlobUri:
    """A `blob:` URI, taken apart. `path` is what follows the cluster, decoded: the bucket, and perhaps a key."""

    cluster: str
    path: str

    def key_in(self, *bucket_paths: str) -> str:
        """The key, where the bucket is at one of these paths. Raises ValueError when it is at none of them."""
        for bucket in bucket_paths:
            if self.path == bucket:
                return ""
            if self.path.startswith(bucket + "/"):
                return self.path[len(bucket) + 1 :]
        raise ValueError(f"blob://{self.cluster}/{self.path} is not in bucket {bucket_paths[0]}")


def parse_blob_uri(uri: URL, home: Home) -> BlobUri:
    """Raises ValueError for another scheme, a query, fragment, user or port, and for `~`."""
    _check(uri, "blob")
    path = unquote(uri.raw_path)
    if (uri.host or path.lstrip("/")).startswith("~"):
        raise ValueError(f"{uri}: ~ means nothing in blob URIs")
    if uri.host:
        return BlobUri(uri.host, path.removeprefix("/"))
    own = path[1:] if path.startswith("/") else f"{home.user}/{path}"
    return BlobUri(home.cluster, own if home.org is None else f"{home.org}/{own}")


def local_path(uri: URL) -> Path:
    """The file of a `file:` URI. Raises ValueError."""
    _check(uri, "file")
    if uri.host:
        raise ValueError(f"{uri}: a file URI names no host")
    if uri.path.startswith("~"):
        raise ValueError(f"{uri}: ~ means nothing in file URIs")
    return Path(unquote(uri.raw_path)).absolute()


def joined(bucket: URL, key: str) -> URL:
    """The URI of a key of a bucket."""
    return URL(f"{bucket}/{quote(key, safe=_SAFE)}", encoded=True)


def bucket_uri(cluster: str, *names: str) -> URL:
    """`blob://cluster/name/name`."""
    return URL(f"blob://{cluster}/" + "/".join(quote(name, safe="") for name in names), encoded=True)


def _check(uri: URL, scheme: str) -> None:
    if uri.scheme != scheme:
        raise ValueError(f"{uri}: write a URI that begins with {scheme}:")
    if uri.raw_query_string or uri.raw_fragment:
        raise ValueError(f"{uri}: write %3F for ? and %23 for # in keys")
    if uri.user is not None or uri.password is not None or uri.explicit_port is not None:
        raise ValueError(f"{uri}: neither a user nor a port belongs into it")
