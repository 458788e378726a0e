# SPDX-License-Identifier: Apache-2.0
"""What the sides of one server are put together from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakehouse.api.audited import Recorder
    from lakehouse.asgi.origin import Origin
    from lakehouse.auth.audit import AuditLog
    from lakehouse.auth.checker import Checker
    from lakehouse.auth.credentials import CredentialStore
    from lakehouse.auth.directory import Directory
    from lakehouse.auth.identity import Authenticator
    from lakehouse.auth.keys import KeyRing
    from lakehouse.config.model import Config
    from lakehouse.core.clock import Clock
    from lakehouse.server.metrics import ServerMetrics
    from lakehouse.versioning.lake import Lake


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """Everything that REST, S3 and the interfaces of other systems share. `record` writes to the audit log."""

    config: Config
    lake: Lake
    ring: KeyRing
    directory: Directory
    checker: Checker
    credentials: CredentialStore
    authenticator: Authenticator
    origin: Origin
    record: Recorder
    audit: AuditLog
    metrics: ServerMetrics
    clock: Clock
