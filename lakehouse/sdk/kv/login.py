# SPDX-License-Identifier: Apache-2.0
"""Where the storage is and who asks, when nobody says so: by the environment, else by the file of the command line.

Environment: LAKEHOUSE_ENDPOINT (or LAKEHOUSE_URL), and LAKEHOUSE_TOKEN or LAKEHOUSE_ACCESS_KEY_ID with
LAKEHOUSE_SECRET_ACCESS_KEY. File: `~/.lakectl.yaml`, with `server.endpoint_url` and `credentials`, as `lakectl config`
writes it. A request is only ever given one of them: all of the environment's, or all of the file's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from lakehouse.sdk.kv.errors import AuthError
from lakehouse.sdk.requests import API, authorization
from lakehouse.wire.kv import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

LOCAL = "http://127.0.0.1:8000"
FILE = ".lakectl.yaml"


class HasToken(Protocol):
    """An object that knows a token, and may get a new one when it is asked."""

    @property
    def token(self) -> str: ...


Auth = HasToken | str | tuple[str, str] | None
"""A token, an object that has one, an access key id with its secret, or None: whoever is logged in on this machine."""


def headers_for(auth: Auth) -> Callable[[], dict[str, str]]:
    """What tells the headers that say who asks. Raises AuthError when nobody is logged in."""
    if auth is None:
        known = _logged_in()
        return lambda: known
    if isinstance(auth, str):
        fixed = authorization(access_key_id=None, secret_access_key=None, token=auth)
        return lambda: fixed
    if isinstance(auth, tuple):
        fixed = authorization(access_key_id=auth[0], secret_access_key=auth[1], token=None)
        return lambda: fixed
    return lambda: authorization(access_key_id=None, secret_access_key=None, token=auth.token)


def storage_url(url: str | None) -> str:
    """The base of all requests, without a slash at its end."""
    if url is not None:
        return url.rstrip("/")
    endpoint = os.environ.get("LAKEHOUSE_ENDPOINT") or os.environ.get("LAKEHOUSE_URL")
    endpoint = endpoint or _section("server").get("endpoint_url") or LOCAL
    return str(endpoint).rstrip("/").removesuffix(API) + ROOT


def _logged_in() -> dict[str, str]:
    """The headers of whoever is logged in. Raises AuthError."""
    token = os.environ.get("LAKEHOUSE_TOKEN")
    if token:
        return authorization(access_key_id=None, secret_access_key=None, token=token)
    pair = {name: os.environ.get(f"LAKEHOUSE_{name.upper()}") for name in ("access_key_id", "secret_access_key")}
    if not any(pair.values()):
        pair = {name: str(_section("credentials").get(name) or "") for name in pair}
    if not all(pair.values()):
        raise AuthError(
            "nobody is logged in: give auth=(access key id, secret access key) or a token, or set "
            "LAKEHOUSE_ACCESS_KEY_ID and LAKEHOUSE_SECRET_ACCESS_KEY, or LAKEHOUSE_TOKEN"
        )
    return authorization(**pair, token=None)


def _section(name: str) -> dict[str, Any]:
    """A part of the file; empty when it is not there. Raises AuthError for a file that is none of its kind."""
    path = Path.home() / FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise AuthError(f"{path} cannot be read: {error}") from error
    section = content.get(name) if isinstance(content, dict) else None
    return section if isinstance(section, dict) else {}
