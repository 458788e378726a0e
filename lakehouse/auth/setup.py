# SPDX-License-Identifier: Apache-2.0
"""The first user, who is an administrator, and the installation's own identity.

Setup succeeds once. Of two at the same time one wins and the other is told AlreadySetUp; a crash half-way leaves it to
be done again. The server can make the first user by itself and print the pair: then setup stays open, as it was, until
somebody uses that pair (see `CredentialStore`) or sets up another, which replaces it.
"""

from __future__ import annotations

import base64
import hmac
import re
import uuid
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from lakehouse.auth import builtin, keys
from lakehouse.auth.credentials import (
    DONE,
    PROVISIONAL,
    SETUP,
    check_pair,
    decrypt,
    encrypt,
    generate_pair,
    reencrypt,
)
from lakehouse.auth.identity import from_own_page
from lakehouse.core.errors import (
    AlreadyExists,
    AlreadySetUp,
    InvalidArgument,
    LostRace,
    NotSetUp,
    PermissionDenied,
    StartupError,
)
from lakehouse.core.ids import UserId, parse_user_name
from lakehouse.core.records import Credentials, User
from lakehouse.meta import credentials as rows
from lakehouse.meta import groups, installation, policies, users

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.auth.keys import KeyRing
    from lakehouse.db.port import Database
    from lakehouse.db.statement import Statement

FINGERPRINT = "secret_fingerprint"
INSTALLATION_ID = "installation_id"
PREFERENCES = "comm_prefs"
TOKEN_HEADER = "x-lakehouse-setup-token"  # noqa: S105  (a header's name)

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_TRIES = 5


class SetupState(msgspec.Struct, frozen=True):
    """What anyone may know of the setup."""

    initialized: bool
    comm_prefs_missing: bool


class Preferences(msgspec.Struct, frozen=True):
    """What the installation's owner wants to hear of. Stored, and sent nowhere."""

    email: str = ""
    feature_updates: bool = False
    security_updates: bool = False


class FirstUser(msgspec.Struct, frozen=True):
    """The wish for a first user. `pair` is an access key id and secret; without it, one is generated."""

    name: str
    pair: tuple[str, str] | None = None
    email: str = ""
    friendly_name: str = ""
    preferences: Preferences | None = None


# -- the installation --------------------------------------------------------------------------------------------------


async def claim(db: Database, ring: KeyRing) -> str:
    """Tie the database to the master secret, finish a change of secret, and return the installation's id.

    Raises StartupError when the database belongs to another secret: nothing in it could be verified or opened.
    """
    current = ring.fingerprint(ring.current)
    known = await installation.ensure(db, FINGERPRINT, current)
    if known not in {ring.fingerprint(key_id) for key_id in ring.key_ids}:
        raise StartupError(
            "this database belongs to another secret: start with the one that it was made with "
            "(LAKEHOUSE_SECRET, or the file `secret` of its data directory)"
        )
    await reencrypt(db, ring)
    if known != current:
        await db.apply(installation.exchange(FINGERPRINT, known, current))
    return await installation.ensure(db, INSTALLATION_ID, str(uuid.uuid4()))


# -- setup -------------------------------------------------------------------------------------------------------------


async def state(db: Database) -> SetupState:
    """Whether there is a first user, and whether the owner's preferences are known."""
    return SetupState(
        initialized=await installation.find(db, SETUP) == DONE,
        comm_prefs_missing=await installation.find(db, PREFERENCES) is None,
    )


async def setup(db: Database, ring: KeyRing, wish: FirstUser, *, now: float) -> Credentials:
    """Make the first user. Atomic.

    Raises InvalidName and InvalidArgument for a bad name, pair or email, AlreadySetUp when there is a first user.
    """
    return await _create(db, ring, wish, now=now, to=DONE)


async def provide(
    db: Database, ring: KeyRing, *, name: str, pair: tuple[str, str] | None, now: float
) -> Credentials | None:
    """At the start: the pair to show, made now or not used since it was made; None when setup is done.

    With a configured `pair`, the first user is made with it and setup is done.
    """
    try:
        wish = FirstUser(name, pair)
        return await _create(db, ring, wish, now=now, to=PROVISIONAL if pair is None else DONE)
    except AlreadySetUp:
        return None if await installation.find(db, SETUP) == DONE else await _unused(db, ring)


async def _unused(db: Database, ring: KeyRing) -> Credentials | None:
    for user in await users.page(db, limit=1):
        for row in await rows.of_user(db, user.id, limit=1):
            return decrypt(ring, row)
    return None


async def _create(db: Database, ring: KeyRing, wish: FirstUser, *, now: float, to: str) -> Credentials:
    parse_user_name(wish.name)
    if wish.pair is not None:
        check_pair(*wish.pair)
    check_email(wish.email)
    await builtin.ensure(db, now=now)
    for _ in range(_TRIES):
        try:
            return await _try_create(db, ring, wish, now=int(now), to=to)
        except LostRace:
            continue
    raise AlreadySetUp


async def _try_create(db: Database, ring: KeyRing, wish: FirstUser, *, now: int, to: str) -> Credentials:
    """Two transactions, because the ciphertext is bound to the user's id: first the user, who can do nothing without
    a key, then, under the guard of the installation's state, all the rest.
    """
    returned = await db.apply(
        users.insert_unless(SETUP, DONE, name=wish.name, created=now, otherwise=AlreadySetUp()),
    )
    user = User(UserId(returned[0][0][0]), wish.name, now, wish.email, wish.friendly_name)
    pair = Credentials(*(wish.pair or generate_pair()), user, now)
    if to == DONE:
        guard = installation.advance(SETUP, PROVISIONAL, DONE, otherwise=AlreadySetUp())
    else:
        guard = installation.insert(SETUP, to, otherwise=AlreadySetUp())
    preferences = () if wish.preferences is None else (_store(wish.preferences, otherwise=None),)
    try:
        await db.apply(
            guard,
            policies.touch(),
            *users.keep_only(user.id),
            groups.add_to_named(builtin.ADMINS, user.id),
            users.describe(user.id, email=wish.email, friendly_name=wish.friendly_name, otherwise=LostRace()),
            rows.insert(encrypt(ring, pair), otherwise=AlreadySetUp()),
            *preferences,
        )
    except AlreadySetUp:
        await db.apply(users.delete_without_keys(user.id))
        raise
    return pair


async def set_preferences(db: Database, preferences: Preferences) -> None:
    """Store the owner's preferences, once. Raises NotSetUp, AlreadyExists, InvalidArgument (email)."""
    check_email(preferences.email)
    if await installation.find(db, SETUP) != DONE:
        raise NotSetUp
    await db.apply(_store(preferences, otherwise=AlreadyExists("communication preferences are already set")))


def check_email(text: str) -> None:
    """Judge an address; none is none. Raises InvalidArgument."""
    if text and (len(text) > 254 or not text.isprintable() or not _EMAIL.fullmatch(text)):
        raise InvalidArgument("invalid email address: invalid value: validation error")


def _store(preferences: Preferences, *, otherwise: Exception | None) -> Statement:
    value = msgspec.json.encode(preferences).decode()
    if otherwise is None:
        return installation.put(PREFERENCES, value)
    return installation.insert(PREFERENCES, value, otherwise=otherwise)


# -- who may set up ----------------------------------------------------------------------------------------------------


def setup_token(ring: KeyRing) -> str:
    """What the server prints and a caller from elsewhere must show: 24 characters, void once setup is done."""
    _, key = ring.derive(keys.SETUP)
    return base64.b32encode(hmac.digest(key, b"first user", "sha256")[:15]).decode().lower()


def check_caller(ring: KeyRing, *, peer: str, headers: Mapping[str, str], token: str | None = None) -> None:
    """Let a caller set up: one on this machine, or one who has the token. Raises PermissionDenied.

    `peer` is the address of the socket; `headers` by lower-case name; `token` from the query, if not in the header.
    """
    shown = headers.get(TOKEN_HEADER) or token
    if shown is not None and hmac.compare_digest(shown.strip().lower().encode(), setup_token(ring).encode()):
        return
    if shown is not None or not is_local(peer, headers):
        raise PermissionDenied(
            "setup from another machine needs the token that `lakehouse serve` printed: send it as the header "
            "X-Lakehouse-Setup-Token, or run `lakehouse setup` beside the data"
        )


def is_local(peer: str, headers: Mapping[str, str]) -> bool:
    """Whether a request was made on this machine, for this machine, by no foreign web page and through no proxy."""
    if any(name in headers for name in _FORWARDED) or not _is_loopback(peer):
        return False
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    return (host == "localhost" or _is_loopback(host)) and from_own_page(headers)


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
