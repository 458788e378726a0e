# SPDX-License-Identifier: Apache-2.0
"""A DataStore from Flyte's own configuration, in both of its forms."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.core.errors import InvalidArgument
from lakehouse.sdk.datastore import LocationID
from lakehouse.sdk.datastore.configuration import store_of

STOW: dict[str, Any] = {
    "type": "stow",
    "container": "flyte",
    "enable-multicontainer": True,
    "stow": {
        "kind": "s3",
        "config": {
            "auth_type": "accesskey",
            "access_key_id": "AKIA",
            "secret_key": "secret",
            "region": "eu-1",
            "endpoint": "http://lake:8000/s3",
            "disable_ssl": "true",
        },
    },
    "signedUrl": {"stowConfigOverride": {"endpoint": "https://lake.example.org/s3"}},
    "limits": {"maxDownloadMBs": 0},
}
OLD: dict[str, Any] = {
    "type": "minio",
    "container": "flyte",
    "connection": {
        "endpoint": "lake:8000",
        "auth-type": "accesskey",
        "access-key": "AKIA",
        "secret-key": "secret",
        "disable-ssl": True,
    },
}


def test_the_newer_form():
    with store_of(STOW) as store:
        main, signed = (store.get_location(each) for each in LocationID)
        assert (main.endpoint, main.access_key_id, main.secret_access_key) == ("http://lake:8000", "AKIA", "secret")
        assert (main.region, signed.region) == ("eu-1", "eu-1")
        assert (signed.endpoint, signed.access_key_id) == ("https://lake.example.org", "AKIA")
        assert store.get_base_container_fqn(None) == "s3://flyte"
        assert (store._multi, store._limit) == (True, 0)


@pytest.mark.parametrize(
    ("disabled", "scheme"), [(True, "http"), ("TRUE", "http"), ("true", "http"), (False, "https"), ("no", "https")]
)
def test_the_older_form(disabled, scheme):
    with store_of({**OLD, "connection": {**OLD["connection"], "disable-ssl": disabled}}) as store:
        main = store.get_location(LocationID.MAIN)
        assert (main.endpoint, main.secret_access_key, main.region) == (f"{scheme}://lake:8000", "secret", "us-east-1")
        assert (store._multi, store._limit) == (False, 2 * 1024 * 1024)


def test_the_newer_form_counts_only_when_it_is_whole():
    with store_of({**OLD, "stow": {"kind": "s3"}}) as store:
        assert store.get_location(LocationID.MAIN).endpoint == "http://lake:8000"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"type": "mem"}, "type"),
        ({"container": ""}, "container"),
        ({"stow": {"kind": "google", "config": {"a": 1}}}, "kind"),
        ({"stow": {"kind": "s3", "config": {**STOW["stow"]["config"], "auth_type": "iam"}}}, "auth_type"),
        ({"stow": {"kind": "s3", "config": {**STOW["stow"]["config"], "token": "t"}}}, "token"),
        ({"stow": {"kind": "s3", "config": {"endpoint": ""}}}, "endpoint"),
        ({"limits": {"maxDownloadMBs": -1}}, "maxDownloadMBs"),
        ({"limits": {"maxDownloadMBs": "x"}}, "maxDownloadMBs"),
        ({"signedUrl": 5}, "signedUrl"),
    ],
)
def test_what_a_lakehouse_is_not(change, word):
    with pytest.raises(InvalidArgument, match=word):
        store_of({**STOW, **change})
