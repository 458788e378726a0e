# SPDX-License-Identifier: Apache-2.0
"""What the server says of itself over REST, and the events that clients report."""

from __future__ import annotations

import re

import pytest

from .conftest import make, refused

pytestmark = pytest.mark.anyio


async def test_config(api) -> None:
    config = (await api.get("/config")).json()
    assert set(config) == {
        "version_config",
        "storage_config",
        "storage_config_list",
        "ui_config",
        "capabilities_config",
    }
    assert config["storage_config_list"] == []
    assert re.fullmatch(r"\d+\.\d+\.\d+", config["version_config"]["version"])
    assert config["version_config"]["version_context"] == "lakeFS"
    storage = config["storage_config"]
    assert storage["blockstore_type"] == "s3"
    assert storage["pre_sign_support"] is True
    assert storage["blockstore_id"] == storage["blockstore_description"] == ""
    assert {"import_support", "import_validity_regex", "pre_sign_support_ui", "pre_sign_multipart_upload"} <= set(
        storage
    )
    assert re.match(storage["blockstore_namespace_ValidityRegex"], storage["blockstore_namespace_example"])
    assert (await api.get("/config/storage")).json() == storage
    assert (await api.get("/config/version")).json() == config["version_config"]
    assert (await api.get("/config/garbage-collection")).json() == {"grace_period": 86_400}


async def test_the_namespace_of_the_example_works(api) -> None:
    example = (await api.get("/config")).json()["storage_config"]["blockstore_namespace_example"]
    await make(api, storage_namespace=example)


@pytest.mark.parametrize("path", ["", "/version", "/storage", "/garbage-collection"])
async def test_config_is_for_users(nobody, path: str) -> None:
    refused(await nobody.get(f"/config{path}"), 401, "error authenticating request")


async def test_events(api) -> None:
    events = [{"class": "cli", "name": "branch list", "count": 1}]
    answer = await api.post("/statistics", json={"events": events})
    assert (answer.status_code, answer.content) == (204, b"")
    for bad in (
        {},
        {"events": None},
        {"events": [{}]},
        {"events": [{**events[0], "class": ""}]},
        {"events": [{**events[0], "name": ""}]},
        {"events": [{**events[0], "count": -1}]},
    ):
        refused(await api.post("/statistics", json=bad), 400, "validation error")
