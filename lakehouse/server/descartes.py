# SPDX-License-Identifier: Apache-2.0
"""Descartes Labs Storage, put together from a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.auth import keys
from lakehouse.facades.kv.routes import StorageContext, login_app, storage_app
from lakehouse.facades.kv.service import DAY, Values
from lakehouse.server.metrics import DESCARTES
from lakehouse.wire.kv import LOGIN_ROOT, ROOT

if TYPE_CHECKING:
    from lakehouse.asgi.dispatch import ApiApp
    from lakehouse.server.parts import Parts


def descartes_values(parts: Parts) -> Values:
    """The values of all accounts."""
    return Values(parts.lake, parts.checker, parts.config.descartes.tmp_days * DAY)


def descartes_apps(parts: Parts, values: Values) -> dict[str, ApiApp]:
    """The storage interface and its token endpoint, by how their paths begin."""
    observe = parts.metrics.observer(DESCARTES)
    url_signer = parts.ring.signer(keys.STORAGE_URL)
    context = StorageContext(values, parts.authenticator, url_signer, parts.config.limits.object_size)
    return {
        f"{ROOT}/": storage_app(context, origin=parts.origin, record=parts.record, observe=observe),
        f"{LOGIN_ROOT}/": login_app(parts.authenticator, origin=parts.origin, record=parts.record, observe=observe),
    }
