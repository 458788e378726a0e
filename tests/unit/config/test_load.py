# SPDX-License-Identifier: Apache-2.0
"""Settings: who wins, what is understood, what is refused and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.config.load import leaves, load
from lakehouse.config.model import Secret
from lakehouse.config.values import parse_duration, parse_size
from lakehouse.core.errors import BadConfiguration

if TYPE_CHECKING:
    from pathlib import Path


def test_later_ones_win(tmp_path: Path) -> None:
    (tmp_path / "lakehouse.toml").write_text('port = 1\nhost = "::1"\nworkers = 2\n[log]\nlevel = "debug"\n')
    found = load(
        environment={"LAKEHOUSE_PORT": "2", "LAKEHOUSE_WORKERS": "3", "LAKEHOUSE_DATA": "", "HOME": "/"},
        flags={"port": 4, "data": None},
        folder=tmp_path,
    )
    config, origins = found.config, found.origins
    assert (config.host, config.workers, config.port, config.log.level) == ("::1", 3, 4, "debug")
    assert origins["host"] == f"file {tmp_path / 'lakehouse.toml'}"
    assert origins["workers"] == "environment LAKEHOUSE_WORKERS"
    assert origins["port"] == "flag --port"
    assert origins["data"] == origins["cache.memory"] == "default"


def test_the_file_is_named_beside_or_absent(tmp_path: Path) -> None:
    (tmp_path / "lakehouse.toml").write_text("port = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("port = 2\n")
    assert load(environment={}, folder=tmp_path).config.port == 1
    assert load(environment={"LAKEHOUSE_CONFIG": str(other)}, folder=tmp_path).config.port == 2
    assert load(environment={"LAKEHOUSE_CONFIG": "x"}, file=other, folder=tmp_path).config.port == 2
    assert load(environment={}, folder=tmp_path / "empty").config.port == 8000
    with pytest.raises(BadConfiguration, match="nowhere"):
        load(environment={}, file=tmp_path / "nowhere.toml")
    other.write_text("port = [")
    with pytest.raises(BadConfiguration, match="other"):
        load(environment={}, file=other)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"LAKEHOUSE_PROT": "1"}, "did you mean LAKEHOUSE_PORT"),
        ({"LAKEHOUSE_LOG__LEVL": "info"}, "did you mean LAKEHOUSE_LOG__LEVEL"),
        ({"LAKEHOUSE_ZZZZ": "1"}, "unknown setting zzzz"),
        ({"LAKEHOUSE_PORT": "many"}, "port (environment LAKEHOUSE_PORT): expected a whole number"),
        ({"LAKEHOUSE_PORT": "65536"}, "<= 65535"),
        ({"LAKEHOUSE_WORKERS": "0"}, ">= 1"),
        ({"LAKEHOUSE_LOG__LEVEL": "loud"}, "expected one of debug, info"),
        ({"LAKEHOUSE_CACHE__MEMORY": "much"}, "a size such as"),
        ({"LAKEHOUSE_CACHE__MEMORY": "-1"}, "a size such as"),
        ({"LAKEHOUSE_STAGING__ADDRESS_VALIDITY": "1 parsec"}, "a duration such as"),
        ({"LAKEHOUSE_DATABASE__INLINE_READS": "perhaps"}, "true or false"),
        ({"LAKEHOUSE_ADMIN_ACCESS_KEY_ID": "abc"}, "go together"),
        ({"LAKEHOUSE_OBJECT_STORE__BUCKET": "lake"}, "needs a dot"),
        ({"LAKEHOUSE_OBJECT_STORE": "s3://lake.local/"}, "give that another name"),
        ({"LAKEHOUSE_OBJECT_STORES__A": "s3://lake.local"}, "give that another name"),
        ({"LAKEHOUSE_EXTERNAL_URL": "lake.example"}, "https://"),
        ({"LAKEHOUSE_STAGING__PRESIGN_VALIDITY": "8d"}, "at most 7d"),
    ],
)
def test_what_is_wrong_is_said(environment: dict[str, str], said: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        load(environment=environment)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("prot = 1", "did you mean port?"),
        ("[log]\nlevle = 'info'", "did you mean log.level?"),
        ("port = 'x'", "whole number"),
        ("port = 1.5", "Expected `int`"),
        ("port = true", "Expected `int`"),
        ("secret = 5", "expected a text"),
        ("trusted_proxies = [1]", "Expected `str`"),
        ("[port]\nx = 1", "unknown setting port.x"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "lakehouse.toml").write_text(content)
    with pytest.raises(BadConfiguration) as caught:
        load(environment={}, folder=tmp_path)
    assert said in str(caught.value)
    assert "lakehouse.toml" in str(caught.value)


def test_a_section_stands_for_its_url() -> None:
    config = load(environment={"LAKEHOUSE_DATABASE": "sqlite:/x"}, flags={"object_store": "s3://b"}).config
    assert (config.database.url, config.object_store.url) == ("sqlite:/x", "s3://b")


def test_sections_by_name(tmp_path: Path) -> None:
    (tmp_path / "lakehouse.toml").write_text(
        '[object_stores.cold-1]\nurl = "s3://cold"\ndescription = "slow, cheap"\n[object_stores.b]\nurl = "s3://b"\n'
    )
    environment = {"LAKEHOUSE_OBJECT_STORES__B__REGION": "eu-west-1", "LAKEHOUSE_OBJECT_STORES__C": "s3://c"}
    stores = load(environment=environment, folder=tmp_path).config.object_stores
    assert {name: store.url for name, store in stores.items()} == {
        "cold-1": "s3://cold",
        "b": "s3://b",
        "c": "s3://c",
    }
    assert stores["cold-1"].description == "slow, cheap"
    assert (stores["b"].region, stores["c"].region) == ("eu-west-1", "us-east-1")
    assert load(environment={}).config.object_stores == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[object_stores.a]\nregion = 'r'", "object_stores.a.url: missing"),
        ("[object_stores.a]\nulr = 'r'", "did you mean object_stores.NAME.url?"),
        ("[object_stores.A]\nurl = 'r'", "a name is made of"),
        ("[object_stores]\na = 5", "object_stores.a"),
        ("object_stores = 's3://b'", "unknown setting object_stores"),
        ("[object_stores.a.b]\nurl = 'r'", "unknown setting object_stores.a.b"),
    ],
)
def test_what_is_wrong_in_a_section_by_name_is_said(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "lakehouse.toml").write_text(content)
    with pytest.raises(BadConfiguration) as caught:
        load(environment={}, folder=tmp_path)
    assert said in str(caught.value)


def test_clients_and_tests_variables_are_passed_over() -> None:
    load(environment={"LAKEHOUSE_ENDPOINT": "x", "LAKEHOUSE_ACCESS_KEY_ID": "y", "LAKEHOUSE_TEST_ROUNDS": "3"})


def test_lists_and_home_are_read() -> None:
    config = load(environment={"LAKEHOUSE_TRUSTED_PROXIES": "10.0.0.0/8, ::1/128", "LAKEHOUSE_DATA": "~/lake"}).config
    assert config.trusted_proxies == ("10.0.0.0/8", "::1/128")
    assert config.data.startswith("/")
    assert config.data.endswith("/lake")


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("17", 17), ("64MiB", 64 * 2**20), ("5 GB", 5 * 10**9), ("1.5k", 1536), ("2TiB", 2 * 2**40), ("8b", 8)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("500ms", 0.5), ("2 min", 120), ("24h", 86400), ("7d", 604800), ("1.5s", 1.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("value", [True, False])
def test_every_setting_can_come_from_the_environment(value: object) -> None:
    samples: dict[Any, str] = {str: "text", bool: str(value)}
    for leaf in leaves():
        if leaf.kind in samples and leaf.key not in {"external_url", "object_store.bucket", "admin_access_key_id"}:
            needed = {"LAKEHOUSE_OBJECT_STORES__NAME__URL": "x"} if ".NAME." in leaf.key else {}
            found = load(environment=needed | {leaf.variable: samples[leaf.kind]})
            assert found.origins[leaf.key.replace(".NAME.", ".name.")] == f"environment {leaf.variable}"


def test_secrets_hide() -> None:
    loaded = load(environment={"LAKEHOUSE_SECRET": "hunter2-hunter2-hunter2"})
    assert loaded.config.secret.reveal() == "hunter2-hunter2-hunter2"
    for shown in (repr(loaded), str(loaded.config), f"{loaded.config.secret}", repr([loaded.config.secret])):
        assert "hunter2" not in shown
    assert Secret("a") == Secret("a") != Secret("b")
    assert not Secret("")
    assert len({Secret("a"), Secret("a")}) == 1
