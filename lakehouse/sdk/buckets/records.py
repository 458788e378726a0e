# SPDX-License-Identifier: Apache-2.0
"""What the bucket interface hands out: frozen values under their documented names."""

from __future__ import annotations

import abc
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse.sdk.buckets.uris import joined

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from yarl import URL


@dataclass(frozen=True)
class Bucket:
    """A bucket. `uri` is `blob://cluster/org/project/name`, with the id where there is no name."""

    class Provider(enum.StrEnum):
        """Whose storage a bucket is in."""

        AWS = "aws"
        MINIO = "minio"
        AZURE = "azure"
        GCP = "gcp"
        OPEN_STACK = "open_stack"

    id: str
    owner: str
    name: str | None
    uri: URL
    cluster_name: str
    org_name: str | None
    created_at: datetime
    provider: Bucket.Provider
    imported: bool = False
    public: bool = False


@dataclass(frozen=True)
class BucketCredentials:
    """What the provider's own clients log in with."""

    bucket_id: str
    provider: Bucket.Provider
    credentials: Mapping[str, str]


@dataclass(frozen=True)
class PersistentBucketCredentials:
    """Lasting credentials: the same keys, once for each bucket."""

    id: str
    owner: str
    name: str | None
    read_only: bool
    cluster_name: str
    credentials: list[BucketCredentials]


@dataclass(frozen=True)
class BucketEntry(abc.ABC):
    """What a listing shows. `size` in bytes."""

    key: str
    bucket: Bucket
    size: int
    created_at: datetime | None = None
    modified_at: datetime | None = None

    @property
    def uri(self) -> URL:
        """Where it is."""
        return joined(self.bucket.uri, self.key)

    @property
    def name(self) -> str:
        """The part of the key after the last `/`; of a folder, its own name."""
        return self.key.rstrip("/").rpartition("/")[2]

    @abc.abstractmethod
    def is_dir(self, uri: URL | None = None) -> bool:
        """Whether it stands for a folder. `uri` is not looked at: it is there because it is documented."""

    def is_file(self, uri: URL | None = None) -> bool:
        """Whether it is a blob and stands for no folder."""
        return not self.is_dir(uri)


@dataclass(frozen=True)
class BlobObject(BucketEntry):
    """A key that exists. An empty one that ends in `/` marks a folder."""

    def is_dir(self, uri: URL | None = None) -> bool:
        return self.key.endswith("/") and self.size == 0


@dataclass(frozen=True)
class BlobCommonPrefix(BucketEntry):
    """All keys that begin alike, up to the next `/`, in a listing that is not recursive."""

    size: int = 0

    def is_dir(self, uri: URL | None = None) -> bool:
        return True


@dataclass(frozen=True)
class BucketUsage:
    """A running total."""

    total_bytes: int
    object_count: int
