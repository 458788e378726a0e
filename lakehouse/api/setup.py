# SPDX-License-Identifier: Apache-2.0
"""Handlers: the first user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from lakehouse.auth import setup as engine
from lakehouse.auth.identity import COOKIES
from lakehouse.wire.setup import CredentialsWithSecret, LoginConfig, SetupState

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.setup import CommPrefsInput, Setup

LOGIN = LoginConfig(
    rbac="internal",
    login_url="",
    login_url_method="none",
    login_failed_message="The credentials don't match.",
    login_cookie_names=list(COOKIES),
    logout_url="",
)
BY_PROVIDER = LoginConfig(
    rbac="internal",
    login_url="/api/v1/oidc/login",
    login_url_method="select",
    login_failed_message="The credentials don't match.",
    login_cookie_names=list(COOKIES),
    logout_url="/logout",
)


async def get_setup_state(services: Services, call: Call[None, None]) -> SetupState:
    found = await engine.state(services.lake.db)
    return SetupState(
        state="initialized" if found.initialized else "not_initialized",
        comm_prefs_missing=found.comm_prefs_missing,
        login_config=BY_PROVIDER if services.provider.configured else LOGIN,
    )


async def setup(services: Services, call: Call[None, Setup]) -> CredentialsWithSecret:
    body = call.body
    engine.check_caller(services.ring, peer=call.peer, headers=headers_of(call))
    preferences = None
    if body.email:
        preferences = engine.Preferences(body.email, body.feature_updates, body.security_updates)
    made = await engine.setup(
        services.lake.db,
        services.ring,
        engine.FirstUser(
            name=body.username,
            pair=None if body.key is UNSET else (body.key.access_key_id, body.key.secret_access_key),
            email=body.email,
            preferences=preferences,
        ),
        now=services.clock(),
    )
    return CredentialsWithSecret(
        access_key_id=made.access_key_id, secret_access_key=made.secret_access_key, creation_date=made.created
    )


async def setup_comm_prefs(services: Services, call: Call[None, CommPrefsInput]) -> None:
    body = call.body
    await engine.set_preferences(
        services.lake.db, engine.Preferences(body.email, body.feature_updates, body.security_updates)
    )


def headers_of(call: Call[Any, Any]) -> dict[str, str]:
    """All headers of a request by lower-case name; of several the last counts."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in call.headers}
