# SPDX-License-Identifier: Apache-2.0
"""The platform of neuro Buckets, put together from a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.asgi.dispatch import ApiApp
from lakehouse.asgi.identity import rest_identity
from lakehouse.asgi.limits import Limits
from lakehouse.facades.buckets.errors import error_response
from lakehouse.facades.buckets.platform import Platform
from lakehouse.facades.buckets.routes import HANDLERS
from lakehouse.server.metrics import NEURO
from lakehouse.wire.buckets import OPERATIONS, ROOT

if TYPE_CHECKING:
    from lakehouse.server.parts import Parts


def buckets_platform(parts: Parts) -> Platform:
    """What its operations work with."""
    return Platform(parts.lake, parts.directory, parts.authenticator, parts.checker, parts.config.object_store.region)


def buckets_app(parts: Parts, platform: Platform) -> ApiApp:
    """The application for everything below its root."""
    return ApiApp(
        platform,
        OPERATIONS,
        HANDLERS,
        authenticate=rest_identity(parts.authenticator),
        authorize=parts.checker.authorize,
        errors=error_response,
        origin=parts.origin,
        limits=Limits(json_body=parts.config.limits.json_body),
        record=parts.record,
        observe=parts.metrics.observer(NEURO),
        prefix=ROOT,
    )
