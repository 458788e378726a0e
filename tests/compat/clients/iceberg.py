# SPDX-License-Identifier: Apache-2.0
# environment: iceberg
"""Iceberg tables with a warehouse on a branch: written, appended to, changed, read back in time, merged."""

from __future__ import annotations

import json
from pathlib import Path

import checks
import pyarrow as pa
from checks import ENDPOINT, KEY, SECRET, equal, fails, fresh
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import GreaterThanOrEqual
from pyiceberg.table import StaticTable

FILES = {
    "s3.endpoint": ENDPOINT,
    "s3.access-key-id": KEY,
    "s3.secret-access-key": SECRET,
    "s3.region": "us-east-1",
    "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
}


def new_repository(**metadata: str) -> str:
    name = fresh("iceberg")
    status, _, body = checks.http("POST", "/repositories", body={"name": name, "metadata": metadata})
    assert status == 201, body
    return name


def post(path: str, body: dict[str, str]) -> str:
    status, _, told = checks.http("POST", path, body=body)
    assert status in (200, 201), told
    return str(json.loads(told).get("id", "")) if told.startswith(b"{") else ""


def catalog(warehouse: str) -> SqlCatalog:
    """A catalog in a file of its own, as one process's view of a warehouse."""
    path = Path.cwd() / f"{fresh('catalog')}.sqlite"
    return SqlCatalog("lake", uri=f"sqlite:///{path}", warehouse=warehouse, **FILES)


def rows(first: int, count: int = 100) -> pa.Table:
    numbers = list(range(first, first + count))
    return pa.table({"n": pa.array(numbers, pa.int64()), "kind": [f"k{n % 3}" for n in numbers]})


def numbers(table: object) -> list[int]:
    return sorted(table.scan().to_arrow()["n"].to_pylist())  # type: ignore[attr-defined]


def _work(warehouse: str) -> str:
    """A table that is written, appended to and changed; where its newest metadata is."""
    lake = catalog(warehouse)
    lake.create_namespace("db")
    table = lake.create_table("db.numbers", schema=rows(0).schema)
    table.append(rows(0))
    first = table.current_snapshot()
    assert first is not None
    table.append(rows(100))
    equal(numbers(table), list(range(200)))
    table.delete(GreaterThanOrEqual("n", 150))
    equal(numbers(lake.load_table("db.numbers")), list(range(150)))
    equal(table.scan(snapshot_id=first.snapshot_id).to_arrow().num_rows, 100)
    equal(table.scan(row_filter=GreaterThanOrEqual("n", 140)).to_arrow().num_rows, 10)
    with table.update_schema() as change:
        change.add_column("note", table.schema().find_type("kind"))
    assert "note" in lake.load_table("db.numbers").scan().to_arrow().column_names
    return str(table.metadata_location)


def check_a_warehouse_on_a_branch() -> None:
    """What was done on a branch is not there on main until it is merged; paths in the table's files name the branch."""
    repository = new_repository()
    post(f"/repositories/{repository}/branches", {"name": "dev", "source": "main"})
    where = _work(f"s3://{repository}/dev/warehouse")
    assert where.startswith(f"s3://{repository}/dev/warehouse/"), where
    elsewhere = where.replace("/dev/", "/main/", 1)
    with fails(FileNotFoundError, OSError):
        StaticTable.from_metadata(elsewhere, properties=FILES)
    committed = post(f"/repositories/{repository}/branches/dev/commits", {"message": "a table"})
    post(f"/repositories/{repository}/refs/dev/merge/main", {})
    merged = StaticTable.from_metadata(elsewhere, properties=FILES)
    equal(numbers(merged), list(range(150)))
    frozen = StaticTable.from_metadata(where.replace("/dev/", f"/{committed}/", 1), properties=FILES)
    equal(numbers(frozen), list(range(150)))


def check_a_warehouse_in_a_plain_repository() -> None:
    repository = new_repository(**{"lakehouse.plain": "true"})
    where = _work(f"s3://{repository}/warehouse")
    opened = StaticTable.from_metadata(where, properties=FILES)
    equal(numbers(opened), list(range(150)))


def check_dropped_tables_leave_nothing() -> None:
    repository = new_repository(**{"lakehouse.plain": "true"})
    lake = catalog(f"s3://{repository}/warehouse")
    lake.create_namespace("db")
    table = lake.create_table("db.gone", schema=rows(0).schema)
    table.append(rows(0))
    lake.purge_table("db.gone")
    status, _, body = checks.http("GET", f"/repositories/{repository}/refs/main/objects/ls?prefix=warehouse/")
    equal(status, 200)
    left = [line["path"] for line in json.loads(body)["results"]]
    assert not [path for path in left if path.endswith(".parquet")], left


if __name__ == "__main__":
    checks.run(dict(globals()))
