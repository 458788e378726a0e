# SPDX-License-Identifier: Apache-2.0
"""The first user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk.requests import given
from lakehouse.wire.setup import (
    GET_SETUP_STATE,
    SETUP,
    SETUP_COMM_PREFS,
    AccessKeyCredentials,
    CommPrefsInput,
    CredentialsWithSecret,
    Setup,
    SetupState,
)

if TYPE_CHECKING:
    from lakehouse.sdk._sync.transport import Transport


class FirstSetup:
    """What is done once, before there is a user."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_setup_state(self) -> SetupState:
        """Whether the first user exists, and how to log in."""
        return self._transport.call(GET_SETUP_STATE, SetupState)

    def setup(
        self, username: str, *, key: AccessKeyCredentials | None = None, email: str = ""
    ) -> CredentialsWithSecret:
        """Create the first user, with the pair `key` or a new one. Raises AlreadySetUp."""
        body = Setup(username=username, key=given(key), email=email)
        return self._transport.call(SETUP, CredentialsWithSecret, body=body)

    def setup_comm_prefs(self, preferences: CommPrefsInput) -> None:
        """Store newsletter preferences."""
        self._transport.send(SETUP_COMM_PREFS, body=preferences)
