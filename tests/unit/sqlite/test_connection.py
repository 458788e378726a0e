# SPDX-License-Identifier: Apache-2.0
"""How files are opened, and what a failure to open says."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lakehouse.core.errors import DatabaseUnavailable, StartupError, StorageFull
from lakehouse.sqlite.connection import check_version, open_reading, open_writing
from lakehouse.sqlite.failure import as_unavailable, unavailable
from lakehouse.sqlite.readers import Readers
from lakehouse.sqlite.writer import Writer


def test_too_old_a_library_is_refused_with_advice() -> None:
    with pytest.raises(StartupError, match=r"SQLite 3\.36\.9 is too old: 3\.37\.0 or newer is needed.*install"):
        check_version((3, 36, 9))
    check_version((3, 37, 0))


def test_acknowledged_writes_are_synced(tmp_path: Path) -> None:
    connection = open_writing(tmp_path / "a.db")
    found = {
        name: connection.execute(f"pragma {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "fullfsync")
    }
    connection.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "fullfsync": 0}


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    writing = open_writing(tmp_path / "a b%#?é.db")
    writing.execute("create table t (n integer)")
    reading = open_reading(tmp_path / "a b%#?é.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reading.execute("insert into t values (1)")
    reading.close()
    writing.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a b%#?é.db"]


def test_a_reader_that_closes_last_leaves_the_log_to_a_writer(tmp_path: Path) -> None:
    writing = open_writing(tmp_path / "a.db")
    writing.execute("create table t (n integer)")
    reading = open_reading(tmp_path / "a.db")
    reading.execute("select * from t").fetchall()
    writing.close()
    before = (tmp_path / "a.db").read_bytes()
    reading.close()
    assert (tmp_path / "a.db").read_bytes() == before
    again = open_writing(tmp_path / "a.db")
    assert again.execute("select count(*) from t").fetchone() == (0,)
    again.close()


@pytest.mark.parametrize("make", [open_writing, Writer])
def test_a_file_that_cannot_be_opened(tmp_path: Path, make: type[Writer]) -> None:
    (tmp_path / "text.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StartupError, match=r"text\.db: the database cannot be opened"):
        make(tmp_path / "text.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StartupError, match=r"folder\.db: the database cannot be opened"):
        make(tmp_path / "folder.db")
    with pytest.raises(StartupError, match="cannot be opened"):
        make(tmp_path / "missing" / "a.db")


def test_a_file_system_without_shared_memory() -> None:
    with pytest.raises(StartupError, match="WAL mode; use a local disk"):
        open_writing(Path(":memory:"))


def test_reading_after_closing(tmp_path: Path) -> None:
    open_writing(tmp_path / "a.db").close()
    readers = Readers(tmp_path / "a.db")
    readers.close()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        readers.one("select 1")


def test_reading_a_file_that_is_not_there(tmp_path: Path) -> None:
    readers = Readers(tmp_path / "a.db")
    with pytest.raises(DatabaseUnavailable):
        readers.one("select 1")
    with pytest.raises(DatabaseUnavailable):
        readers.all("select 1")


def _error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("text")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, StorageFull),
        (sqlite3.SQLITE_IOERR_WRITE, DatabaseUnavailable),
        (sqlite3.SQLITE_BUSY, DatabaseUnavailable),
        (sqlite3.SQLITE_CORRUPT, DatabaseUnavailable),
        (sqlite3.SQLITE_NOMEM, DatabaseUnavailable),
        (sqlite3.SQLITE_ERROR, type(None)),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, type(None)),
    ],
)
def test_what_an_error_means(code: int, kind: type) -> None:
    assert type(unavailable(_error(code))) is kind
    assert isinstance(as_unavailable(_error(code)), DatabaseUnavailable if kind is type(None) else kind)


def test_other_errors_are_left_alone() -> None:
    assert unavailable(KeyError("x")) is None
    assert unavailable(sqlite3.ProgrammingError("x")) is None
