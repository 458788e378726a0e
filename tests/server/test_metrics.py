# SPDX-License-Identifier: Apache-2.0
"""`/metrics`: what is there, that workers add up, and who may read it."""

from __future__ import annotations

import asyncio
import re
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import boto3
import httpx2
import msgspec
import pytest
from botocore.config import Config as BotoConfig
from prometheus_client.parser import text_string_to_metric_families

from lakehouse.config.model import Config, Metrics, Secret
from lakehouse.sdk import Client
from lakehouse.server.app import Application
from lakehouse.server.metrics import lake_metrics, store_metrics
from lakehouse.server.start import first_start
from tests.running import KEY, SECRET, running_server, start_server

DOCS = Path(__file__).parents[2] / "docs"
WORKERS = 3


def samples(page: str) -> dict[str, float]:
    """The sum over all labels, by name of the sample; and each by name and labels as they are written."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
            found[f"{sample.name} {labels}"] = sample.value
    return found


def scrape(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return samples(answer.read().decode())


def s3_client(url: str):
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=BotoConfig(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, proxies={}),
    )


def test_several_workers_are_one_page(tmp_path):
    with running_server(tmp_path, "--workers", str(WORKERS)) as server:
        for _ in range(20):  # a connection each, so that the workers share them
            urllib.request.urlopen(f"{server.url}/api/v1/healthcheck", timeout=10).close()
        found = scrape(f"{server.url}/metrics")
        again = scrape(f"{server.url}/metrics")
    assert found["lakehouse_workers"] == WORKERS
    assert found["lakehouse_rest_requests_total operation=health_check,status=2xx"] == 20
    assert found["lakehouse_rest_request_seconds_count operation=health_check"] == 20
    assert found["lakehouse_process_resident_bytes"] > WORKERS * 2**20
    assert found["lakehouse_process_open_files"] > WORKERS
    assert [name for name, value in found.items() if name.endswith("_total") and again.get(name, 0) < value] == []


def test_all_sides_are_counted(tmp_path):
    with running_server(tmp_path) as server:
        with Client(server.url, access_key_id=KEY, secret_access_key=SECRET) as lake:
            lake.repositories.create_repository("first")
            for number in range(5):
                lake.staging.upload("first", "main", f"p/{number}", b"x" * 100)
            lake.commits.commit("first", "main", "m")
        s3 = s3_client(server.url)
        s3.put_object(Bucket="first", Key="main/s3", Body=b"y" * 1000)
        with pytest.raises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket="first", Key="main/absent")
        s3.close()
        found = scrape(f"{server.url}/metrics")
    assert found["lakehouse_rest_requests_total operation=commit,status=2xx"] == 1
    assert found["lakehouse_s3_requests_total operation=put_object,status=2xx"] >= 1
    assert found["lakehouse_s3_requests_total operation=get_object,status=4xx"] == 1
    assert found["lakehouse_database_transactions_total outcome=stored"] >= 7
    assert found["lakehouse_database_write_seconds_count"] >= 7
    assert found["lakehouse_store_calls_total call=put_batch,outcome=done,store=(embedded)"] >= 1
    assert found["lakehouse_store_bytes_total direction=in,store=(embedded)"] >= 1500
    assert found["lakehouse_http_received_bytes_total"] > 1500


def test_counters_go_on_after_a_restart(tmp_path):
    for rounds in (1, 2):
        with running_server(tmp_path) as server:
            urllib.request.urlopen(f"{server.url}/api/v1/healthcheck", timeout=10).close()
            found = scrape(f"{server.url}/metrics")
            assert found["lakehouse_rest_requests_total operation=health_check,status=2xx"] == rounds
            assert found["lakehouse_workers"] == 1


async def _unpublished(folder) -> bytes:
    metrics = store_metrics()
    (folder / "metrics").write_text("in the way")
    await metrics.start(folder)
    metrics.observer("s3")("get_object", 200, 0.1)
    try:
        return await metrics.page()
    finally:
        metrics.stop()


def test_a_disk_that_refuses_leaves_a_process_its_own(tmp_path):
    found = samples(asyncio.run(_unpublished(tmp_path)).decode())
    assert found["lakehouse_s3_requests_total operation=get_object,status=2xx"] == 1
    assert found["lakehouse_workers"] == 1


def test_the_store_alone(tmp_path):
    server = start_server(tmp_path, command="store")
    try:
        found = scrape(f"{server.url}/_metrics")
    finally:
        server.stop()
    assert found["lakehouse_workers"] == 1


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


async def ask(folder, access, *, peer="127.0.0.1", host="127.0.0.1:8000", headers=None):
    """Status of a request for the page, from `peer`."""
    config = Config(data=str(folder), admin_access_key_id=KEY, admin_secret_access_key=Secret(SECRET))
    config = msgspec.structs.replace(config, metrics=Metrics(access=access))
    await first_start(config)
    application = Application(config)
    await application.start()
    try:
        transport = httpx2.ASGITransport(app=application, client=(peer, 1234))
        async with httpx2.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            answer = await client.get("/metrics", headers=headers)
            assert ("lakehouse_build_info" in answer.text) == (answer.status_code == 200)
            return answer.status_code
    finally:
        await application.stop()


BASIC = {"Authorization": f"Basic {b64encode(f'{KEY}:{SECRET}'.encode()).decode()}"}
WRONG = {"Authorization": f"Basic {b64encode(f'{KEY}:wrong'.encode()).decode()}"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("access", "asked", "status"),
    [
        ("local", {}, 200),
        ("local", {"peer": "192.0.2.1", "host": "lake.example.org"}, 401),
        ("local", {"headers": {"X-Forwarded-For": "192.0.2.1"}}, 401),  # a proxy on this machine is not the caller
        ("local", {"host": "rebound.example.org"}, 401),
        ("local", {"headers": {"Sec-Fetch-Site": "cross-site"}}, 401),
        ("local", {"peer": "192.0.2.1", "host": "lake.example.org", "headers": BASIC}, 200),
        ("local", {"peer": "192.0.2.1", "host": "lake.example.org", "headers": WRONG}, 401),
        ("anyone", {"peer": "192.0.2.1", "host": "lake.example.org"}, 200),
        ("off", {}, 404),
        ("off", {"headers": BASIC}, 404),
    ],
)
async def test_who_may_read(tmp_path, access, asked, status):
    assert await ask(tmp_path, access, **asked) == status


def test_every_family_is_documented():
    page = (DOCS / "howto" / "monitoring.md").read_text()
    server = lake_metrics()
    server.store("any")
    server.watch_stores()
    names = {*server.metrics.families, *store_metrics().metrics.families}
    written = set(re.findall(r"`(lakehouse_\w+)`", page))
    assert names - written == set()
