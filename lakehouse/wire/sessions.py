# SPDX-License-Identifier: Apache-2.0
"""Short-lived access keys. These operations are ours."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import AUTHENTICATED, USER, Operation, need
from lakehouse.wire.policies import Statement


class SessionCreation(msgspec.Struct, frozen=True, kw_only=True):
    """`policy` narrows what the session may do: it may do what the user may and these statements allow."""

    duration_seconds: int | UnsetType = UNSET
    policy: list[Statement] | UnsetType = UNSET


class SessionCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """`expiration` in seconds. The token goes into the header `X-Amz-Security-Token`; S3 clients put it there."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: int


CREATE_SESSION = Operation(
    name="create_session",
    id="createSession",
    method="POST",
    path="/auth/sessions",
    tag="sessions",
    summary="Get a short-lived access key pair with a session token for oneself",
    allow=AUTHENTICATED,
    body=SessionCreation,
    body_required=False,
    result=SessionCredentials,
    status=201,
)
REVOKE_SESSIONS = Operation(
    name="revoke_sessions",
    id="revokeSessions",
    method="DELETE",
    path="/auth/users/{userId}/sessions",
    tag="sessions",
    summary="Void all sessions and login tokens that a user has been given",
    allow=need("auth:DeleteCredentials", USER),
    status=204,
)

OPERATIONS = (CREATE_SESSION, REVOKE_SESSIONS)
