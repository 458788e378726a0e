# SPDX-License-Identifier: Apache-2.0
"""From requests to audit events: which are worth one, and what it says. Never a secret, never an object's bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.auth.audit import AuditLog, Event

if TYPE_CHECKING:
    from lakehouse.asgi.call import Call
    from lakehouse.auth.audit import Level
    from lakehouse.wire.operation import Operation

OBJECT_TAGS = frozenset({"objects", "staging", "multipart", "prefixes", "cache", "storage"})
"""Operations on the data itself, and on the cache of outputs: many, and recorded from the level `writes` on."""
NEVER = frozenset({"post_stats_events", "health_check"})
LOGINS = frozenset({"login", "sts_login", "external_principal_login", "oauth_callback", "create_token"})
REFUSED = frozenset({401, 403})
COMPUTED = frozenset({"make_tmp_credentials", "sign_blob_url"})
"""What clients ask for at every call, and what changes nothing: recorded like reads."""
_NAMES = ("id", "name", "ref", "path", "dest_path", "prefix", "principalId", "access_key_id", "permission")
"""Members of queries and bodies that name things."""
_LONGEST = 1024


class Recorder:
    """What `ApiApp` tells of requests, as far as `level` asks for."""

    def __init__(self, log: AuditLog, *, level: Level) -> None:
        self._log = log
        self._level = level

    def wants(self, operation: Operation) -> bool:
        """Whether every request to this operation is recorded, however it ends."""
        if self._level == "off" or operation.name in NEVER:
            return False
        if self._level == "all" or operation.name in LOGINS:
            return True
        return (
            operation.mutates
            and operation.name not in COMPUTED
            and (self._level == "writes" or operation.tag not in OBJECT_TAGS)
        )

    def record(self, call: Call[Any, Any], status: int, *, wanted: bool) -> None:
        """Told of each answer; refusals to known users are recorded whatever the operation."""
        if not wanted and (self._level == "off" or status not in REFUSED or call.user is None):
            return
        user = call.user
        self._log.record(
            Event(
                at=self._log.now,
                actor="" if user is None else user.name,
                operation=call.operation.name,
                status=status,
                what=_names(call),
                request=call.request_id,
                peer=call.peer,
                session=user is not None and user.session,
            )
        )


def _names(call: Call[Any, Any]) -> dict[str, str]:
    """The names in a request: of its path, and those members of query and body that are one."""
    found = {name: value[:_LONGEST] for name, value in call.path.items()}
    for part in (call.query, call.body):
        if isinstance(part, msgspec.Struct):
            for field, name in zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True):
                value = getattr(part, field) if name in _NAMES else None
                if isinstance(value, str) and value:
                    found.setdefault(name, value[:_LONGEST])
    return found
