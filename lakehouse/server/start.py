# SPDX-License-Identifier: Apache-2.0
"""What happens before the server listens: data directory, database, secret, first user.

It runs once, whatever the number of workers, and again at every start without harm.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from lakehouse.auth import setup
from lakehouse.auth.keys import KeyRing
from lakehouse.auth.secrets import configured_secret, generated_secret
from lakehouse.core.clock import system_clock
from lakehouse.core.errors import BadConfiguration, LakehouseError, StartupError
from lakehouse.core.records import Credentials
from lakehouse.db.inspection import is_sqlite, require_current

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from lakehouse.config.model import Config
    from lakehouse.core.clock import Clock
    from lakehouse.db.port import Database

DATABASES = {
    "sqlite": "lakehouse.db.sqlite:SqliteDatabase",
    "postgresql": "lakehouse.db.postgres:PostgresDatabase",
    "postgres": "lakehouse.db.postgres:PostgresDatabase",
}
"""Driver classes by the scheme of `database.url`."""
DATABASE_FILE = "metadata.sqlite"
SECRET_FILE = "secret"  # noqa: S105  (a file's name)


class FirstStart(msgspec.Struct, frozen=True):
    """What `serve` tells at the start.

    `credentials`: the pair that the server made and nobody has used yet. `setup_token`: what setup from another machine
    needs, while there is no first user.
    """

    credentials: Credentials | None = None
    setup_token: str | None = None


def data_folder(config: Config) -> Path:
    """The data directory, made if need be. Raises StartupError."""
    folder = Path(config.data).expanduser()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartupError(
            f"the data directory {folder} cannot be made: {error}; choose another with --data"
        ) from error
    return folder


def open_ring(config: Config) -> KeyRing:
    """The keys. Raises StartupError."""
    if config.secret:
        current = configured_secret(config.secret.reveal())
    elif database_scheme(config) != "sqlite":
        raise BadConfiguration(
            "secret: a database that several servers share needs a configured secret, the same for all of them: set "
            "LAKEHOUSE_SECRET; `openssl rand -hex 32` makes a good one"
        )
    else:
        current = generated_secret(data_folder(config) / SECRET_FILE)
    return KeyRing(current, configured_secret(config.other_secret.reveal()) if config.other_secret else None)


def open_database(config: Config) -> Database:
    """The metadata database, as it is: not migrated. Raises StartupError."""
    return _open_sqlite(config) if database_scheme(config) == "sqlite" else _open_postgres(config)


def database_scheme(config: Config) -> str:
    """The kind of database. Raises BadConfiguration."""
    scheme = config.database.url.partition(":")[0] if config.database.url else "sqlite"
    if scheme not in DATABASES:
        known = ", ".join(f"{name}:..." for name in DATABASES)
        raise BadConfiguration(f"database.url: no database of the kind {scheme!r}; known are {known}")
    return scheme


def database_file(config: Config) -> Path:
    """Where the SQLite database is."""
    rest = config.database.url.partition(":")[2] or str(Path(config.data).expanduser() / DATABASE_FILE)
    return Path(rest.removeprefix("//")).expanduser().absolute()


def _open_sqlite(config: Config) -> Database:
    if not config.database.url:
        data_folder(config)
    path = database_file(config)
    if not path.parent.is_dir():
        raise BadConfiguration(f"database.url: the folder {path.parent} does not exist")
    return cast("Database", _driver("sqlite")(path, inline_reads=config.database.inline_reads))


def _open_postgres(config: Config) -> Database:
    try:
        driver = _driver("postgresql")
    except ModuleNotFoundError as error:
        raise BadConfiguration(
            "database.url: PostgreSQL needs its driver: pip install 'lakehouse[postgres]'"
        ) from error
    settings = config.database
    made = driver(settings.url, password=settings.password.reveal(), connections=settings.connections)
    return cast("Database", made)


def _driver(scheme: str) -> Callable[..., object]:
    module, _, name = DATABASES[scheme].partition(":")
    return cast("Callable[..., object]", getattr(import_module(module), name))


@asynccontextmanager
async def opened(config: Config, *, as_it_is: bool = False) -> AsyncIterator[tuple[Database, KeyRing]]:
    """Database and keys, migrated and tied to each other; closed at the end. `as_it_is`: neither made nor migrated.

    Raises StartupError.
    """
    scheme = database_scheme(config)
    if as_it_is and is_sqlite(scheme) and not database_file(config).is_file():
        raise StartupError(f"there is no lake: {database_file(config)} does not exist; name the directory with --data")
    ring = open_ring(config)
    db = open_database(config)
    try:
        if as_it_is:
            await require_current(db, scheme)
        else:
            await db.migrate()
        await setup.claim(db, ring)
        yield db, ring
    finally:
        await db.close()


async def first_start(config: Config, *, clock: Clock = system_clock) -> FirstStart:
    """Bring the data directory up to date and see to the first user. Raises StartupError."""
    pair = None
    if config.admin_access_key_id:
        pair = (config.admin_access_key_id, config.admin_secret_access_key.reveal())
    made = None
    async with opened(config) as (db, ring):
        if config.first_user == "auto" or pair is not None:
            try:
                made = await setup.provide(db, ring, name=config.admin_name, pair=pair, now=clock())
            except LakehouseError as error:
                raise StartupError(f"the first user cannot be made: {error.message}") from error
        if (await setup.state(db)).initialized:
            return FirstStart()
        return FirstStart(made, setup.setup_token(ring))
