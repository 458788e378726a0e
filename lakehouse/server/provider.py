# SPDX-License-Identifier: Apache-2.0
"""The identity provider of a configuration, and the way to it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from lakehouse.auth.oidc import OidcSettings
from lakehouse.core.errors import BadConfiguration
from lakehouse.server.egress import Egress

if TYPE_CHECKING:
    from lakehouse.config.model import Config


def oidc_settings(config: Config) -> OidcSettings:
    """Raises BadConfiguration."""
    given = config.oidc
    if bool(given.issuer) != bool(given.client_id):
        raise BadConfiguration("oidc.issuer and oidc.client_id go together: one of them is missing")
    if given.issuer and not given.issuer.startswith(("http://", "https://")):
        raise BadConfiguration("oidc.issuer: must begin with https://")
    names = {}
    for pair in given.groups:
        theirs, equals, ours = pair.rpartition("=")
        if not (theirs and equals and ours):
            raise BadConfiguration(f"oidc.groups: {pair!r}: write theirs=ours")
        names[theirs] = ours
    return OidcSettings(
        issuer=given.issuer,
        client_id=given.client_id,
        client_secret=given.client_secret.reveal(),
        scopes=tuple(given.scopes),
        user_claim=given.user_claim,
        groups_claim=given.groups_claim,
        group_names=names,
        default_groups=tuple(given.default_groups),
    )


def open_egress(config: Config) -> Egress:
    """The server's own way out. Raises nothing; nothing is opened yet."""
    return Egress(private=config.egress.private, loopback=_is_local(config.host))


def _is_local(host: str) -> bool:
    """Whether a server that listens on `host` is for this machine only."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
