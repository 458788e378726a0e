# SPDX-License-Identifier: Apache-2.0
"""A way back in for whoever has the data, when no administrator can log in any more.

It adds and takes nothing away: keys, groups and policies that are there stay as they are. The user gets a key pair, a
place among the administrators, and, in case that group lost its policies, the built-in ones directly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.auth import builtin
from lakehouse.auth.audit import AuditLog, Event
from lakehouse.auth.checker import PolicyChecker
from lakehouse.auth.credentials import DONE, SETUP, check_pair, encrypt, generate_pair
from lakehouse.core.errors import AlreadyExists, Conflict, NotSetUp, UserExists
from lakehouse.core.ids import parse_user_name
from lakehouse.core.records import Credentials
from lakehouse.meta import credentials as rows
from lakehouse.meta import groups, installation, policies, users

if TYPE_CHECKING:
    from lakehouse.auth.keys import KeyRing
    from lakehouse.core.clock import Clock
    from lakehouse.core.records import User
    from lakehouse.db.port import Database

OPERATION = "recover_administrator"
"""What the audit log calls it."""
_NEEDED = ("auth:CreateUser", "auth:AttachPolicy", "auth:CreateCredentials", "fs:CreateRepository")


async def recover(db: Database, ring: KeyRing, *, name: str, pair: tuple[str, str] | None, clock: Clock) -> Credentials:
    """A new key pair for the administrator `name`, who is made if need be. Servers notice within a second.

    Raises InvalidName, InvalidArgument (the pair), AlreadyExists (its id), NotSetUp, Conflict when a policy of this
    user's denies what administrators do.
    """
    parse_user_name(name)
    if pair is not None:
        check_pair(*pair)
    if await installation.find(db, SETUP) != DONE:
        raise NotSetUp("there is no first user yet: run `lakehouse setup` without --recover")
    user = await _user(db, name, now=int(clock()))
    made = Credentials(*(pair or generate_pair()), user, int(clock()))
    description, names = builtin.GROUPS[builtin.ADMINS]
    await db.apply(
        policies.touch(),
        policies.insert_missing([(one, builtin.POLICIES[one]) for one in names], created=int(clock())),
        groups.insert_missing([(builtin.ADMINS, description)], created=int(clock())),
        groups.add_to_named(builtin.ADMINS, user.id),
        *[policies.attach_to_named_user(policy, name) for policy in names],
        rows.insert(encrypt(ring, made), otherwise=AlreadyExists("this access key id is taken: choose another")),
    )
    audit = AuditLog(db, ring, clock=clock)
    audit.record(Event(audit.now, "shell", OPERATION, 200, {"user": name, "access_key_id": made.access_key_id}))
    await audit.flush()
    await _require_administrator(db, user)
    return made


async def _user(db: Database, name: str, *, now: int) -> User:
    found = await users.by_name(db, name)
    if found is None:
        await db.apply(users.insert(name, email="", friendly_name="", created=now, otherwise=UserExists()))
        found = await users.by_name(db, name)
    if found is None:
        raise Conflict(f"the user {name} was deleted meanwhile: run it again")
    return found


async def _require_administrator(db: Database, user: User) -> None:
    checker = PolicyChecker(db)
    await checker.prepare(user)
    if not all(checker.allowed(user, action, "*") for action in _NEEDED):
        raise Conflict(
            f"the user {user.name} has a new key pair, but a policy denies administration to this user, or somebody "
            "changed the built-in policies: run it again with a name that is new, or mend the policies with it"
        )
