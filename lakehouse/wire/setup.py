# SPDX-License-Identifier: Apache-2.0
"""The first start: the first user and their credentials."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import NOBODY_ASKED, Operation
from lakehouse.wire.paging import Required


class LoginConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a login page needs to know."""

    rbac: Literal["none", "simplified", "internal", "external"] | UnsetType = msgspec.field(default=UNSET, name="RBAC")
    username_ui_placeholder: str | UnsetType = UNSET
    password_ui_placeholder: str | UnsetType = UNSET
    login_url: str = ""
    login_url_method: Literal["none", "redirect", "select"] | UnsetType = UNSET
    login_failed_message: str | UnsetType = UNSET
    fallback_login_url: str | UnsetType = UNSET
    fallback_login_label: str | UnsetType = UNSET
    login_cookie_names: list[str]
    logout_url: str = ""


class SetupState(msgspec.Struct, frozen=True, kw_only=True):
    state: Literal["initialized", "not_initialized"]
    comm_prefs_missing: bool | UnsetType = UNSET
    login_config: LoginConfig | UnsetType = UNSET


class AccessKeyCredentials(msgspec.Struct, frozen=True):
    access_key_id: Required
    secret_access_key: Required


class Setup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`key`: use this pair instead of a new one. The rest, but `email`, is about newsletters and is not kept."""

    username: str
    key: AccessKeyCredentials | UnsetType = UNSET
    first_name: str = msgspec.field(default="", name="firstName")
    last_name: str = msgspec.field(default="", name="lastName")
    email: str = ""
    company_name: str = msgspec.field(default="", name="companyName")
    feature_updates: bool = msgspec.field(default=False, name="featureUpdates")
    security_updates: bool = msgspec.field(default=False, name="securityUpdates")


class CredentialsWithSecret(msgspec.Struct, frozen=True, kw_only=True):
    """`creation_date` in seconds. The secret is told once."""

    access_key_id: str
    secret_access_key: str
    creation_date: int


class CommPrefsInput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Newsletter preferences."""

    feature_updates: bool = msgspec.field(name="featureUpdates")
    security_updates: bool = msgspec.field(name="securityUpdates")
    first_name: str = msgspec.field(default="", name="firstName")
    last_name: str = msgspec.field(default="", name="lastName")
    email: str = ""
    company_name: str = msgspec.field(default="", name="companyName")


GET_SETUP_STATE = Operation(
    name="get_setup_state",
    id="getSetupState",
    method="GET",
    path="/setup_lakefs",
    tag="setup",
    summary="Tell whether the first user exists, and how to log in",
    allow=NOBODY_ASKED,
    result=SetupState,
)
SETUP = Operation(
    name="setup",
    id="setup",
    method="POST",
    path="/setup_lakefs",
    tag="setup",
    summary="Create the first user",
    allow=NOBODY_ASKED,
    body=Setup,
    result=CredentialsWithSecret,
)
SETUP_COMM_PREFS = Operation(
    name="setup_comm_prefs",
    id="setupCommPrefs",
    method="POST",
    path="/setup_comm_prefs",
    tag="setup",
    summary="Store newsletter preferences",
    allow=NOBODY_ASKED,
    body=CommPrefsInput,
)

OPERATIONS = (GET_SETUP_STATE, SETUP, SETUP_COMM_PREFS)
