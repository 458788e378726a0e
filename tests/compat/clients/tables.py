# SPDX-License-Identifier: Apache-2.0
# environment: tables
"""Dataframes and tables on branches, over S3: s3fs, pyarrow, polars, Delta Lake, DuckDB."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import checks
import deltalake
import duckdb
import duckdb_extension_httpfs
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq
import s3fs
from checks import ENDPOINT, KEY, SECRET, equal, fails, fresh

HOST = urlsplit(ENDPOINT).netloc
OPTIONS = {
    "aws_endpoint_url": ENDPOINT,
    "aws_access_key_id": KEY,
    "aws_secret_access_key": SECRET,
    "aws_region": "us-east-1",
    "aws_allow_http": "true",
    "aws_virtual_hosted_style_request": "false",
}


def new_repository(prefix: str) -> str:
    name = fresh(prefix)
    status, _, body = checks.http("POST", "/repositories", body={"name": name})
    assert status == 201, body
    return name


def branch(repository: str, name: str) -> None:
    status, _, body = checks.http("POST", f"/repositories/{repository}/branches", body={"name": name, "source": "main"})
    assert status == 201, body


def commit(repository: str, name: str = "main") -> str:
    status, _, body = checks.http(
        "POST", f"/repositories/{repository}/branches/{name}/commits", body={"message": "tables"}
    )
    assert status == 201, body
    return str(json.loads(body)["id"])


def merge(repository: str, source: str) -> None:
    status, _, body = checks.http("POST", f"/repositories/{repository}/refs/{source}/merge/main", body={})
    assert status == 200, body


def table(first: int, count: int = 1000) -> pa.Table:
    numbers = list(range(first, first + count))
    return pa.table({"n": numbers, "half": [n // 2 for n in numbers], "kind": [f"k{n % 3}" for n in numbers]})


def s3_files() -> s3fs.S3FileSystem:
    return s3fs.S3FileSystem(
        key=KEY, secret=SECRET, endpoint_url=ENDPOINT, use_listings_cache=False, skip_instance_cache=True,
        client_kwargs={"region_name": "us-east-1"},
    )  # fmt: skip


def arrow_files() -> pyarrow.fs.S3FileSystem:
    return pyarrow.fs.S3FileSystem(
        access_key=KEY, secret_key=SECRET, endpoint_override=HOST, scheme="http", region="us-east-1"
    )


def check_s3fs() -> None:
    files, repository = s3_files(), new_repository("s3fs")
    base = f"{repository}/main"
    assert repository in files.ls("")
    equal(files.ls(repository), [base])
    data = os.urandom(12_000_000)
    files.pipe(f"{base}/dir/big", data)  # in parts
    files.pipe(f"{base}/dir/small ü +", b"small")
    with files.open(f"{base}/dir/written", "wb", block_size=5 * 2**20) as file:
        file.write(data)
    with files.open(f"{base}/dir/big", "rb") as file:
        file.seek(5_000_000)
        equal(file.read(100), data[5_000_000:5_000_100])
    equal(files.cat(f"{base}/dir/written"), data)
    equal(sorted(files.find(base)), [f"{base}/dir/big", f"{base}/dir/small ü +", f"{base}/dir/written"])
    equal(files.info(f"{base}/dir/big")["size"], len(data))
    assert files.isdir(f"{base}/dir")
    assert not files.exists(f"{base}/nothing")
    files.copy(f"{base}/dir/small ü +", f"{base}/copy")
    files.mv(f"{base}/copy", f"{base}/moved")
    equal(files.cat(f"{base}/moved"), b"small")
    with fails(FileNotFoundError):
        files.cat(f"{base}/copy")
    equal(files.glob(f"{base}/dir/*"), sorted(files.find(f"{base}/dir")))
    files.rm(f"{base}/dir", recursive=True)
    equal(files.find(base), [f"{base}/moved"])
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a", "b/c"):
            path = Path(folder, "in", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        files.put(f"{folder}/in", f"{base}/tree", recursive=True)
        files.get(f"{base}/tree", f"{folder}/out", recursive=True)
        equal(Path(folder, "out/b/c").read_text(), "b/c")


def check_pyarrow_dataset() -> None:
    files, repository = arrow_files(), new_repository("arrow")
    base = f"{repository}/main/data"
    for first in (0, 1000):
        ds.write_dataset(
            table(first), base, filesystem=files, format="parquet", partitioning=["kind"],
            basename_template=f"p{first}-{{i}}.parquet", existing_data_behavior="overwrite_or_ignore",
        )  # fmt: skip
    commit(repository)
    found = ds.dataset(base, filesystem=files, format="parquet", partitioning=["kind"])
    equal(found.count_rows(), 2000)
    equal(found.to_table(filter=ds.field("n") < 10).sort_by("n")["n"].to_pylist(), list(range(10)))
    equal({info.base_name for info in files.get_file_info(pyarrow.fs.FileSelector(base))}, {"k0", "k1", "k2"})
    equal(files.get_file_info(f"{base}/nothing").type, pyarrow.fs.FileType.NotFound)
    equal(files.get_file_info(base).type, pyarrow.fs.FileType.Directory)
    one = next(
        info.path
        for info in files.get_file_info(pyarrow.fs.FileSelector(base, recursive=True))
        if info.type is pyarrow.fs.FileType.File
    )
    files.copy_file(one, f"{base}/copied")
    files.move(f"{base}/copied", f"{base}/moved")
    equal(pq.read_table(f"{base}/moved", filesystem=files).num_rows, pq.read_table(one, filesystem=files).num_rows)
    files.create_dir(f"{repository}/main/empty/dir")
    files.delete_dir(base)
    equal(files.get_file_info(pyarrow.fs.FileSelector(base, allow_not_found=True)), [])
    with files.open_output_stream(f"{repository}/main/stream") as stream:
        for _ in range(3):
            stream.write(b"x" * 6_000_000)  # in parts
    equal(files.get_file_info(f"{repository}/main/stream").size, 18_000_000)


def check_polars() -> None:
    repository = new_repository("polars")
    frame = pl.from_arrow(table(0))
    assert isinstance(frame, pl.DataFrame)
    url = f"s3://{repository}/main/frame.parquet"
    frame.write_parquet(url, storage_options=OPTIONS)
    equal(pl.read_parquet(url, storage_options=OPTIONS).equals(frame), True)
    first = commit(repository)
    frame.head(10).write_parquet(url, storage_options=OPTIONS)
    lazy = pl.scan_parquet(f"s3://{repository}/{first}/*.parquet", storage_options=OPTIONS)
    equal(lazy.filter(pl.col("kind") == "k1").select(pl.len()).collect().item(), 333)
    equal(pl.scan_parquet(url, storage_options=OPTIONS).select(pl.len()).collect().item(), 10)
    frame.write_csv(f"s3://{repository}/main/frame.csv", storage_options=OPTIONS)
    equal(pl.scan_csv(f"s3://{repository}/main/frame.csv", storage_options=OPTIONS).collect().height, 1000)


def check_delta_lake() -> None:
    """Commits of a Delta table are conditional writes: of two writers of one version exactly one wins."""
    repository = new_repository("delta")
    url = f"s3://{repository}/main/table"
    deltalake.write_deltalake(url, table(0), storage_options=OPTIONS)
    deltalake.write_deltalake(url, table(1000), mode="append", storage_options=OPTIONS)
    commit(repository)
    branch(repository, "dev")
    dev = f"s3://{repository}/dev/table"
    on_dev = deltalake.DeltaTable(dev, storage_options=OPTIONS)
    equal(on_dev.version(), 1)
    on_dev.merge(
        table(1900, 200), predicate="t.n = s.n", source_alias="s", target_alias="t"
    ).when_matched_update_all().when_not_matched_insert_all().execute()
    equal((on_dev.version(), on_dev.to_pyarrow_dataset().count_rows()), (2, 2100))
    on_dev.delete("n < 100")
    stale = deltalake.DeltaTable(dev, version=0, storage_options=OPTIONS)
    equal(stale.to_pyarrow_dataset().count_rows(), 1000)
    equal(deltalake.DeltaTable(url, storage_options=OPTIONS).to_pyarrow_dataset().count_rows(), 2000)
    commit(repository, "dev")
    merge(repository, "dev")
    merged = deltalake.DeltaTable(url, storage_options=OPTIONS)
    equal((merged.version(), merged.to_pyarrow_dataset().count_rows()), (3, 2000))
    equal(pl.scan_delta(url, storage_options=OPTIONS).select(pl.col("n").min()).collect().item(), 100)


def check_duckdb() -> None:
    repository = new_repository("duck")
    database = duckdb.connect()
    (extension,) = Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension")
    database.execute(f"load '{extension}'")
    database.execute(
        f"create secret (type s3, key_id '{KEY}', secret '{SECRET}', endpoint '{HOST}', url_style 'path', "
        "use_ssl false, region 'us-east-1')"
    )
    url = f"s3://{repository}/main/numbers.parquet"
    database.execute(f"copy (select range as n, range % 3 as kind from range(100000)) to '{url}' (format parquet)")
    commit(repository)
    equal(database.execute(f"select count(*), sum(n) from '{url}' where kind = 1").fetchone(), (33333, 1666616667))
    equal(database.execute(f"select count(*) from glob('s3://{repository}/main/*.parquet')").fetchone(), (1,))


if __name__ == "__main__":
    checks.run(globals())
