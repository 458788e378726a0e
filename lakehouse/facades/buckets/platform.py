# SPDX-License-Identifier: Apache-2.0
"""What the platform works with, and what it says of itself.

There is one cluster and one organization. A user's own project has the user's name: older clients, which know owners
and no projects, and newer ones mean the same bucket by the same words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.auth.checker import Checker
from lakehouse.auth.directory import Directory
from lakehouse.auth.identity import Authenticator
from lakehouse.core.errors import BucketForbidden, InsufficientPermissions
from lakehouse.versioning.lake import Lake
from lakehouse.wire import buckets as wire

if TYPE_CHECKING:
    from lakehouse.core.records import User

CLUSTER = "lakehouse"
ORGANIZATION = "lakehouse"
S3_ROOT = "/s3"
"""Below the server's own URL: the endpoint that clients are handed."""
_CLIENT = "lakehouse"


class Platform(msgspec.Struct, frozen=True, eq=False):
    """The engine, who may use it, and the region that S3 requests are signed for."""

    lake: Lake
    directory: Directory
    authenticator: Authenticator
    checker: Checker
    region: str


def require(platform: Platform, user: User, action: str, resource: str) -> None:
    """Raises BucketForbidden, which tells what is missing."""
    try:
        platform.checker.authorize(user, action, resource)
    except InsufficientPermissions as error:
        raise BucketForbidden(f"you may not {action} on {resource}", action=action, resource=resource) from error


def configuration(endpoint: str, user: User | None) -> wire.PlatformConfig:
    """For a client that reached the server at `endpoint`. Who is not known learns of no cluster: the client would take
    that for a platform without login.
    """
    root = endpoint + wire.ROOT
    general = wire.PlatformConfig(
        auth_url=f"{root}/login",
        token_url=f"{root}/token",
        logout_url=f"{endpoint}/logout",
        client_id=_CLIENT,
        audience=root,
        headless_callback_url=f"{root}/login/done",
    )
    if user is None:
        return general
    cluster = wire.Cluster(
        name=CLUSTER,
        orgs=[ORGANIZATION],
        registry_url=f"{root}/registry",
        storage_url=f"{root}/storage",
        users_url=f"{root}/users",
        monitoring_url=f"{root}/monitoring",
        secrets_url=f"{root}/secrets",
        disks_url=f"{root}/disks",
        buckets_url=root,
    )
    own = wire.Project(name=user.name, cluster_name=CLUSTER, org_name=ORGANIZATION, role="manager")
    return msgspec.structs.replace(general, authorized=True, clusters=[cluster], projects=[own])
