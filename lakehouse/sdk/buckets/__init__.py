# SPDX-License-Identifier: Apache-2.0
"""Buckets and blobs, asynchronously: the documented interface of neuro's `client.buckets`, on a lake.

Needs `lakehouse[buckets]`.
"""

from yarl import URL

from lakehouse.core.errors import ResourceNotFound
from lakehouse.sdk.buckets.bars import DeleteBar, TransferBar
from lakehouse.sdk.buckets.buckets import Buckets
from lakehouse.sdk.buckets.client import BucketsClient
from lakehouse.sdk.buckets.progress import (
    AbstractDeleteProgress,
    AbstractFileProgress,
    AbstractRecursiveFileProgress,
    StorageProgressComplete,
    StorageProgressDelete,
    StorageProgressEnterDir,
    StorageProgressFail,
    StorageProgressLeaveDir,
    StorageProgressStart,
    StorageProgressStep,
)
from lakehouse.sdk.buckets.records import (
    BlobCommonPrefix,
    BlobObject,
    Bucket,
    BucketCredentials,
    BucketEntry,
    BucketUsage,
    PersistentBucketCredentials,
)

__all__ = [
    "URL",
    "AbstractDeleteProgress",
    "AbstractFileProgress",
    "AbstractRecursiveFileProgress",
    "BlobCommonPrefix",
    "BlobObject",
    "Bucket",
    "BucketCredentials",
    "BucketEntry",
    "BucketUsage",
    "Buckets",
    "BucketsClient",
    "DeleteBar",
    "PersistentBucketCredentials",
    "ResourceNotFound",
    "StorageProgressComplete",
    "StorageProgressDelete",
    "StorageProgressEnterDir",
    "StorageProgressFail",
    "StorageProgressLeaveDir",
    "StorageProgressStart",
    "StorageProgressStep",
    "TransferBar",
]
