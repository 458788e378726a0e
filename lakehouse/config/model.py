# SPDX-License-Identifier: Apache-2.0
"""Every setting, with its type and default. The line below a field is its documentation: the reference page is made
of these lines, and a test holds the two equal.

Values are complete once loaded: sizes in bytes, times in seconds, paths expanded.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

ByteSize = Annotated[int, msgspec.Meta(title="size", ge=0)]
"""Bytes; written as a number or with a unit: `64MiB`, `5 GB`."""
Seconds = Annotated[float, msgspec.Meta(title="duration", ge=0)]
"""Seconds; written as a number or with a unit: `24h`, `500ms`."""


class Secret:
    """A text that must not be shown: its repr and str are stars."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***" if self._text else ""


class Database(msgspec.Struct, frozen=True):
    """Where names, branches and uncommitted changes are kept."""

    url: str = ""
    """`sqlite:PATH`, or empty for `metadata.sqlite` in the data directory. `postgresql://USER@HOST:PORT/DATABASE` for
    several servers on one database; then `secret` must be set.
    """
    password: Secret = Secret()
    """Password for PostgreSQL, so that it need not stand in the URL, which `lakehouse config show` prints."""
    connections: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 16
    """Most connections to PostgreSQL, for each worker."""
    inline_reads: bool = True
    """Answer small SQLite reads in the event loop. Switch it off when the database is on a slow disk."""


class ObjectStore(msgspec.Struct, frozen=True):
    """Where the bytes of objects and committed trees are kept."""

    url: str = ""
    """`s3://BUCKET` of an S3-compatible store, `gs://BUCKET` of Google Cloud Storage, `az://CONTAINER` of Azure Blob
    Storage, or empty for the embedded store in the data directory.
    """
    bucket: str = "lake.local"
    """Name of the embedded store's bucket. It has a dot, which repository names cannot have."""
    endpoint: str = ""
    """Of an S3-compatible store, such as `https://s3.example.org:9000`, or of an emulator; empty for AWS, Google and
    Azure themselves.
    """
    region: str = "us-east-1"
    """Region of the S3-compatible store, and the one that the embedded store signs for."""
    access_key_id: str = ""
    """Key for the S3-compatible store; for Azure, the name of the storage account."""
    secret_access_key: Secret = Secret()
    """Secret for the S3-compatible store; for Azure, the key of the storage account."""
    credentials: str = ""
    """File of a Google service account. Empty: the account of the machine, without presigned URLs."""
    abandoned_uploads: Seconds = 604800.0
    """Uploads in parts into the embedded store are dropped when nothing was added to them for so long."""
    driver: Literal["minio", "obstore"] = "minio"
    """How bytes of S3-compatible stores travel: `obstore` takes less CPU and needs `lakehouse[obstore]`, which Azure
    always needs.
    """


class StoreServer(msgspec.Struct, frozen=True):
    """`lakehouse store`: the embedded store on its own, as an S3 server."""

    keys: Secret = Secret()
    """Access key pairs that may do everything, as ID:SECRET,ID:SECRET. Empty: one pair, made at first start."""
    region: str = "us-east-1"
    """Region that it tells clients."""


class NamedStore(msgspec.Struct, frozen=True):
    """Further stores, each under a name that repositories give as their `storage_id`. `NAME` is made of `a-z`, `0-9`,
    `_` and, in the file, `-`.
    """

    url: str = ""
    """As `object_store.url`."""
    description: str = ""
    """What the store is for: shown to users who choose one."""
    endpoint: str = ""
    """As `object_store.endpoint`."""
    region: str = "us-east-1"
    """As `object_store.region`."""
    access_key_id: str = ""
    """As `object_store.access_key_id`."""
    secret_access_key: Secret = Secret()
    """As `object_store.secret_access_key`."""
    credentials: str = ""
    """As `object_store.credentials`."""
    driver: Literal["minio", "obstore"] = "minio"
    """As `object_store.driver`."""


class S3(msgspec.Struct, frozen=True):
    """The S3 interface: repositories as buckets, and the embedded store's own buckets."""

    domains: tuple[str, ...] = ("s3.local.lakefs.io",)
    """Host names of the S3 interface. A repository's name may stand before them (`lakes.s3.example.org`), and all
    requests for them are S3 requests.
    """
    create_bucket: Literal["off", "plain", "branches"] = "off"
    """What CreateBucket makes of a new name: nothing (501), a plain repository, whose keys carry no branch, or one with
    branches in its keys.
    """
    list_branches: Literal["prefixes", "objects"] = "prefixes"
    """What a list shows that names no branch and has no delimiter: the branches as prefixes, or the objects of all
    branches that begin with its prefix, as clients expect it that know nothing of branches.
    """
    upload_validity: Seconds = 7 * 86400.0
    """How long an upload in parts may stay unfinished; then it is given up and its parts are deleted."""


class Staging(msgspec.Struct, frozen=True):
    """Uploads by address and link."""

    address_validity: Seconds = 86400.0
    """How long an address that was handed out may be linked."""
    presign_validity: Seconds = 900.0
    """How long a presigned URL is good for; at most 7 days."""


class Cache(msgspec.Struct, frozen=True):
    """What the server remembers of committed trees. They never change, so nothing here can be out of date."""

    memory: ByteSize = 64 * 2**20
    """Most memory for tree nodes, in each worker."""
    disk: ByteSize = 2**30
    """Most room in the data directory for copies of the tree nodes of stores that are elsewhere; 0 for none."""


class Limits(msgspec.Struct, frozen=True):
    """What a single request may ask for."""

    json_body: ByteSize = 32 * 2**20
    """Largest JSON body."""
    object_size: ByteSize = 5 * 2**40
    """Largest object."""


class Oidc(msgspec.Struct, frozen=True):
    """Login by an OpenID Connect provider. Without `issuer` and `client_id` there is none."""

    issuer: str = ""
    """The provider, such as `https://login.example.org/realms/lake`, as its tokens write it."""
    client_id: str = ""
    """Name by which the provider knows this server."""
    client_secret: Secret = Secret()
    """Goes with client_id."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    """What the provider is asked for."""
    user_claim: str = "email"
    """Claim that names a user who logs in for the first time."""
    groups_claim: str = "groups"
    """Claim that lists the groups of a user."""
    groups: tuple[str, ...] = ()
    """From groups of the claim to groups here: `theirs=ours`. Others go by their own names."""
    default_groups: tuple[str, ...] = ()
    """Groups that everybody is in who logs in by the provider."""


class Egress(msgspec.Struct, frozen=True):
    """Where the server itself may send requests: to the identity provider, and for hooks. Link-local addresses it never
    reaches.
    """

    private: bool = False
    """Allow private and loopback addresses. Loopback is allowed anyway while the server listens on loopback only."""


class Actions(msgspec.Struct, frozen=True):
    """Hooks: what the files in `_lakefs_actions/` of repositories ask for."""

    enabled: bool = True
    """Run them. Where they reach is set under `egress`."""
    environment: tuple[str, ...] = ("LAKEFSACTION_*",)
    """Names of environment variables of the server, or patterns of names, that hooks may use as `{{ ENV.NAME }}`:
    whoever may write to a repository can send their values anywhere.
    """
    keep_runs: Seconds = 90 * 86400.0
    """How long runs of hooks are kept, with what the hooks left; 0: for ever."""
    most_runs: Annotated[int, msgspec.Meta(ge=0)] = 10_000
    """Most runs that are kept of a repository, the newest; 0: all of them."""
    lua_timeout: Seconds = 60.0
    """How long a Lua script may take, unless its hook says otherwise."""
    lua_cpu: Seconds = 10.0
    """CPU time of a Lua script, in whole seconds."""
    lua_memory: ByteSize = 64 * 2**20
    """Most memory for the values of a Lua script. Its process may take three times as much for all else."""
    lua_http: bool = True
    """Let Lua scripts send requests through `net/http`, where their hook has `net_http: true`. Where they reach is set
    under `egress`.
    """


class Audit(msgspec.Struct, frozen=True):
    """What is written to the audit log."""

    level: Literal["off", "changes", "writes", "all"] = "changes"
    """`changes`: logins, refusals and every change but those of objects; `writes`: these too; `all`: reads as well."""


class Metrics(msgspec.Struct, frozen=True):
    """Figures for Prometheus at `/metrics`, of all workers together."""

    access: Literal["off", "local", "anyone"] = "local"
    """`local`: callers on this machine that came through no proxy, and users who may `auth:ReadMetrics`, as
    administrators may; `anyone`: no question is asked; `off`: there is no such page.
    """


class Facades(msgspec.Struct, frozen=True):
    """Interfaces of other systems. What is off answers as if it did not exist; its data stays."""

    neuro: Literal["on", "off"] = "on"
    """Buckets of the neuro platform, below `/neuro/api/v1`."""
    flyte: Literal["on", "off"] = "on"
    """The cache of task outputs that Flyte's clients use."""
    descartes: Literal["on", "off"] = "on"
    """Storage of Descartes Labs, below `/storage/v1`, and its tokens, at `/iam/token`."""
    commit_every: Seconds = 0.0
    """Commit what their users wrote, in each repository, so long after its last commit; 0: never. It counts for every
    repository whose metadata has `lakehouse.auto-commit` = `true`, as those that these interfaces make have.
    """
    commit_changes: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    """Commit when so many objects of such a repository were written or deleted, whenever that was; 0: never."""


class Descartes(msgspec.Struct, frozen=True):
    """Descartes Labs Storage."""

    tmp_days: Annotated[int, msgspec.Meta(ge=1, le=36500)] = 7
    """Days after which values of the storage type `tmp` are gone."""


class Log(msgspec.Struct, frozen=True):
    """What the server writes to standard error. Secrets and Authorization headers are never written."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is written."""
    format: Literal["text", "json"] = "text"
    """`text` for people, `json` for programs: one object a line."""
    requests: bool = False
    """Write a line for each request as well: method, path, status, milliseconds, peer and request id."""


class Flyte(msgspec.Struct, frozen=True):
    """The cache of task outputs. Servers on one database need clocks that agree."""

    anonymous: tuple[str, ...] = ()
    """Networks (CIDR) whose callers need no credentials to use the cache by Connect and gRPC: Flyte's own clients send
    none. They are the user `flyte-anonymous`, whose policy is about the cache only.
    """
    grpc_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """Port for gRPC, on the address of `host` and without TLS, for Flyte 1: `datacatalog.DataCatalog` and the cache
    services of `flyteidl` and `flyteidl2`. It needs `lakehouse[flyte]`. 0: none.
    """
    max_heartbeat: Annotated[float, msgspec.Meta(title="duration", gt=0)] = 10.0
    """Longest time between two heartbeats of a reservation, and the one for owners who name none."""
    grace: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3
    """Heartbeats after which a reservation whose owner is silent expires."""
    ignore_org: bool = False
    """Let all organisations share their entries."""
    keep: Seconds = 0.0
    """Evict entries that were last written so long ago; 0: never."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All settings."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` for all of IPv4."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8000
    """Port to listen on; 0 for any that is free."""
    data: str = "~/.local/share/lakehouse"
    """Data directory: database, objects and the generated secret, unless they are configured to be elsewhere."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """Number of server processes. They share one port and one data directory."""
    external_url: str = ""
    """How clients reach the server, such as `https://lake.example.org`: presigned URLs are made for it. Empty: as each
    request came.
    """
    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) of proxies whose X-Forwarded-* headers count."""
    shutdown_timeout: Seconds = 30.0
    """How long requests may take to finish after SIGTERM."""
    secret: Secret = Secret()
    """Master secret that all keys come from, 16 bytes or more. Empty: the file `secret` in the data directory, made at
    first start. With PostgreSQL it must be set, the same for every server.
    """
    other_secret: Secret = Secret()
    """A second master secret that is accepted too, while the secret is being changed."""
    first_user: Literal["auto", "wait"] = "auto"
    """`auto`: at first start the server makes a user with an access key and prints it. `wait`: it waits for
    `lakehouse setup` or POST /api/v1/setup_lakefs.
    """
    admin_name: str = "admin"
    """Name of the user that the server makes at first start."""
    admin_access_key_id: str = ""
    """Access key id of the user that the server makes at first start; goes with admin_secret_access_key."""
    admin_secret_access_key: Secret = Secret()
    """Its secret."""
    directories: tuple[str, ...] = ()
    """Directories of the server's machine that objects may be imported from, each as NAME=/PATH. Their files are
    addressed as `local://NAME/...`, are read where they are, and must stay there.
    """
    database: Database = Database()
    object_store: ObjectStore = ObjectStore()
    object_stores: dict[str, NamedStore] = {}
    s3: S3 = S3()
    store: StoreServer = StoreServer()
    staging: Staging = Staging()
    cache: Cache = Cache()
    limits: Limits = Limits()
    oidc: Oidc = Oidc()
    egress: Egress = Egress()
    actions: Actions = Actions()
    audit: Audit = Audit()
    metrics: Metrics = Metrics()
    facades: Facades = Facades()
    flyte: Flyte = Flyte()
    descartes: Descartes = Descartes()
    log: Log = Log()
