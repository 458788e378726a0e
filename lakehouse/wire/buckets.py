# SPDX-License-Identifier: Apache-2.0
"""The platform of neuro Buckets: its configuration, buckets, and credentials for them.

Paths are below the platform's own root, `/neuro/api/v1`. Names and forms are those of its clients, of all generations:
the older ones name a bucket's `owner` in queries, the newer ones organization and project.
"""

from __future__ import annotations

import msgspec

from lakehouse.wire.operation import AUTHENTICATED, DYNAMIC, NOBODY_ASKED, Operation

ROOT = "/neuro/api/v1"
NDJSON = "application/x-ndjson"


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster as clients want it. Of all the services whose URLs must be there, only the buckets are."""

    name: str
    orgs: list[str]
    registry_url: str
    storage_url: str
    users_url: str
    monitoring_url: str
    secrets_url: str
    disks_url: str
    buckets_url: str
    resource_pool_types: list[str] = []
    resource_presets: list[str] = []


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """Where a user's buckets are, unless another place is named."""

    name: str
    cluster_name: str
    org_name: str
    role: str


class PlatformConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client asks for first. `authorized`, clusters and projects only for callers who are known."""

    auth_url: str
    token_url: str
    logout_url: str
    client_id: str
    audience: str
    headless_callback_url: str
    callback_urls: list[str] = []
    authorized: bool = False
    clusters: list[Cluster] = []
    projects: list[Project] = []


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket. `created_at` in ISO 8601 with its offset."""

    id: str
    name: str | None
    owner: str
    org_name: str
    project_name: str
    provider: str
    created_at: str
    imported: bool
    public: bool


class BucketCreation(msgspec.Struct, frozen=True, kw_only=True):
    """Without `project_name` the bucket is in the caller's own project."""

    name: str | None = None
    org_name: str | None = None
    project_name: str | None = None


class BucketImport(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket of another store, with credentials that are kept as they are given."""

    provider: str
    provider_bucket_name: str
    credentials: dict[str, str]
    name: str | None = None
    org_name: str | None = None
    project_name: str | None = None


class BucketChange(msgspec.Struct, frozen=True):
    """`public`: whether everybody may read the bucket's blobs."""

    public: bool


class BucketQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose bucket a name means; ids need none of it."""

    owner: str | None = None
    org_name: str | None = None
    project_name: str | None = None


class BucketPathQuery(msgspec.Struct, frozen=True, kw_only=True):
    """`path`: organization, project or owner, name or id of the bucket, and perhaps a key, parted by slashes."""

    path: str


class BucketCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider's own clients log in with."""

    bucket_id: str
    provider: str
    read_only: bool
    credentials: dict[str, str]


class SignedUrlRequest(msgspec.Struct, frozen=True, kw_only=True):
    """For GET of one blob, which need not be there yet."""

    key: str
    expires_in_sec: int = 3600


class SignedUrl(msgspec.Struct, frozen=True):
    url: str


class PersistentCredentialsCreation(msgspec.Struct, frozen=True, kw_only=True):
    """Keys for these buckets until they are removed."""

    bucket_ids: list[str]
    name: str | None = None
    read_only: bool | None = None


class PersistentCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """The same keys, once for each bucket."""

    id: str
    name: str | None
    owner: str
    read_only: bool
    credentials: list[BucketCredentials]


class PlatformError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every error. `missing`: what the caller would need; `code` and `description` with 409."""

    error: str
    code: str = ""
    description: str = ""
    missing: list[dict[str, str]] = []


GET_PLATFORM_CONFIG = Operation(
    name="get_platform_config",
    id="getPlatformConfig",
    method="GET",
    path="/config",
    tag="buckets",
    summary="What a client needs to know first; more of it for callers who are known",
    allow=NOBODY_ASKED,
    result=PlatformConfig,
)
LIST_BUCKETS = Operation(
    name="list_buckets",
    id="listBuckets",
    method="GET",
    path="/buckets",
    tag="buckets",
    summary="List the buckets that the caller may see, as JSON or line by line",
    allow=DYNAMIC,
    query=BucketQuery,
    result=list[Bucket],
    headers=("Accept",),
)
CREATE_BUCKET = Operation(
    name="create_bucket",
    id="createBucket",
    method="POST",
    path="/buckets",
    tag="buckets",
    summary="Create a bucket: a repository",
    allow=DYNAMIC,
    body=BucketCreation,
    result=Bucket,
    status=201,
)
IMPORT_BUCKET = Operation(
    name="import_bucket",
    id="importBucket",
    method="POST",
    path="/buckets/import/external",
    tag="buckets",
    summary="Make a bucket of another store known",
    allow=DYNAMIC,
    body=BucketImport,
    result=Bucket,
    status=201,
)
FIND_BUCKET = Operation(
    name="find_bucket",
    id="findBucket",
    method="GET",
    path="/buckets/find/by_path",
    tag="buckets",
    summary="Find the bucket that a path is in",
    allow=DYNAMIC,
    query=BucketPathQuery,
    result=Bucket,
)
GET_BUCKET = Operation(
    name="get_bucket",
    id="getBucket",
    method="GET",
    path="/buckets/{bucket}",
    tag="buckets",
    summary="Get a bucket by id or name",
    allow=DYNAMIC,
    query=BucketQuery,
    result=Bucket,
)
UPDATE_BUCKET = Operation(
    name="update_bucket",
    id="updateBucket",
    method="PATCH",
    path="/buckets/{bucket}",
    tag="buckets",
    summary="Let everybody read a bucket's blobs, or no longer",
    allow=DYNAMIC,
    query=BucketQuery,
    body=BucketChange,
    result=Bucket,
)
DELETE_BUCKET = Operation(
    name="delete_bucket",
    id="deleteBucket",
    method="DELETE",
    path="/buckets/{bucket}",
    tag="buckets",
    summary="Remove a bucket that is empty; an imported one is forgotten",
    allow=DYNAMIC,
    query=BucketQuery,
    status=204,
)
MAKE_TMP_CREDENTIALS = Operation(
    name="make_tmp_credentials",
    id="makeTmpCredentials",
    method="POST",
    path="/buckets/{bucket}/make_tmp_credentials",
    tag="buckets",
    summary="Get S3 credentials for this bucket alone, for an hour",
    allow=DYNAMIC,
    query=BucketQuery,
    result=BucketCredentials,
)
SIGN_BLOB_URL = Operation(
    name="sign_blob_url",
    id="signBlobUrl",
    method="POST",
    path="/buckets/{bucket}/sign_blob_url",
    tag="buckets",
    summary="Get a URL by which anybody can read one blob for a while",
    allow=DYNAMIC,
    query=BucketQuery,
    body=SignedUrlRequest,
    result=SignedUrl,
)
LIST_PERSISTENT_CREDENTIALS = Operation(
    name="list_persistent_credentials",
    id="listPersistentCredentials",
    method="GET",
    path="/persistent_credentials",
    tag="buckets",
    summary="List one's own lasting credentials, as JSON or line by line",
    allow=AUTHENTICATED,
    result=list[PersistentCredentials],
    headers=("Accept",),
)
CREATE_PERSISTENT_CREDENTIALS = Operation(
    name="create_persistent_credentials",
    id="createPersistentCredentials",
    method="POST",
    path="/persistent_credentials",
    tag="buckets",
    summary="Make lasting S3 credentials for some buckets, and nothing else",
    allow=DYNAMIC,
    body=PersistentCredentialsCreation,
    result=PersistentCredentials,
    status=201,
)
GET_PERSISTENT_CREDENTIALS = Operation(
    name="get_persistent_credentials",
    id="getPersistentCredentials",
    method="GET",
    path="/persistent_credentials/{credentials}",
    tag="buckets",
    summary="Get one's own lasting credentials by id or name",
    allow=AUTHENTICATED,
    result=PersistentCredentials,
)
DELETE_PERSISTENT_CREDENTIALS = Operation(
    name="delete_persistent_credentials",
    id="deletePersistentCredentials",
    method="DELETE",
    path="/persistent_credentials/{credentials}",
    tag="buckets",
    summary="Void lasting credentials",
    allow=AUTHENTICATED,
    status=204,
)

OPERATIONS = (
    GET_PLATFORM_CONFIG,
    LIST_BUCKETS,
    CREATE_BUCKET,
    IMPORT_BUCKET,
    FIND_BUCKET,
    GET_BUCKET,
    UPDATE_BUCKET,
    DELETE_BUCKET,
    MAKE_TMP_CREDENTIALS,
    SIGN_BLOB_URL,
    LIST_PERSISTENT_CREDENTIALS,
    CREATE_PERSISTENT_CREDENTIALS,
    GET_PERSISTENT_CREDENTIALS,
    DELETE_PERSISTENT_CREDENTIALS,
)
