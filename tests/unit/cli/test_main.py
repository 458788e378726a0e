# SPDX-License-Identifier: Apache-2.0
"""The command line: exit codes, one-line errors, and what each command prints."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from lakehouse import __version__
from lakehouse.cli.main import COMMANDS, exit_code, main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["--version"]) == 0
    assert capsys.readouterr().out == f"lakehouse {__version__}\n"
    assert exit_code(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_is_there_and_described_as_it_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code([name, "--help"]) == 0
    assert "Usage: lakehouse " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["srve"], "Did you mean 'serve'"),
        (["zzz"], "Known are quickstart, serve"),
        (["serve", "--prot", "1"], "--port"),
        (["serve", "--port", "many"], "many"),
        (["config", "shwo"], "Did you mean 'show'"),
    ],
)
def test_usage_errors_are_one_line_and_2(args: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(args) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("lakehouse: ")
    assert printed.err.count("\n") == 1
    assert said in printed.err


def test_bad_settings_are_one_line_and_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LAKEHOUSE_PROT", "1")
    assert exit_code(["config", "show"]) == 1
    assert "did you mean LAKEHOUSE_PORT" in capsys.readouterr().err


def test_config_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "lakehouse.toml").write_text('port = 9\nsecret = "hunter2-hunter2"\n')
    monkeypatch.setenv("LAKEHOUSE_LOG__LEVEL", "debug")
    assert exit_code(["config", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["port"] == {"value": 9, "origin": f"file {tmp_path / 'lakehouse.toml'}"}
    assert shown["log.level"] == {"value": "debug", "origin": "environment LAKEHOUSE_LOG__LEVEL"}
    assert shown["secret"]["value"] == "***"
    assert exit_code(["config", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(shown)
    assert not any("hunter2" in line for line in lines)
    assert next(line for line in lines if line.startswith("database.inline_reads")).split()[1] == "true"


def test_setup_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(tmp_path / "data")
    assert exit_code(["setup", "ada", "--data", data, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["user"] == "ada"
    assert len(made["secret_access_key"]) == 40
    assert exit_code(["setup", "--data", data]) == 1
    assert "there is a first user already" in capsys.readouterr().err
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_setup_with_a_chosen_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAKEHOUSE_ADMIN_ACCESS_KEY_ID", "chosen")
    monkeypatch.setenv("LAKEHOUSE_ADMIN_SECRET_ACCESS_KEY", "chosen-secret")
    assert exit_code(["setup", "--data", str(tmp_path / "data")]) == 0
    out = capsys.readouterr().out
    assert "  access key id      chosen\n  secret access key  chosen-secret\n" in out


def test_setup_refuses_a_bad_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["setup", "a%b", "--data", str(tmp_path / "data")]) == 1
    assert "username" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["mysql:x", "sqlite:/nowhere/at/all/x.sqlite"])
def test_a_database_that_cannot_be(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["setup", "--data", str(tmp_path / "data"), "--database", url]) == 1
    assert capsys.readouterr().err.startswith("lakehouse: database.url: ")


def test_a_data_directory_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert exit_code(["setup", "--data", str(tmp_path / "file" / "data")]) == 1
    assert "the data directory" in capsys.readouterr().err


def test_a_port_in_use_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert exit_code(["serve", "--port", str(port), "--data", str(tmp_path / "data")]) == 1
    assert capsys.readouterr().err == (
        f"lakehouse: port {port} on 127.0.0.1 is in use: stop what listens there, or choose another with --port\n"
    )
    assert not (tmp_path / "data").exists()


def test_help_imports_no_server() -> None:
    code = "import sys; from lakehouse.cli.main import exit_code; exit_code(['--help']); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(out.splitlines()[-1].split())
    assert "click" in loaded
    assert not loaded & {"uvicorn", "cryptography", "starlette", "msgspec._core", "sqlite3", "minio", "asyncio"}


def options(command: click.Command) -> set[str]:
    return {
        name for option in command.params if isinstance(option, click.Option) for name in option.opts if "--" in name
    }


def test_the_reference_names_every_command_and_option(repository_root: Path) -> None:
    page = (repository_root / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        assert f"## `lakehouse {name}" in page
        assert not [option for option in options(command) if f"`{option}" not in page]
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                assert f"lakehouse {name} {inner}" in page
