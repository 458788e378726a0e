# SPDX-License-Identifier: Apache-2.0
"""What `deploy/` and `docker-compose.yml` say is what the program has: commands, options, paths, users."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from lakehouse.cli.main import main
from lakehouse.config.load import leaves

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "deploy" / "docker" / "Containerfile"
UNIT = ROOT / "deploy" / "systemd" / "lakehouse.service"


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a container file: (keyword, rest), with continued lines joined and comments dropped."""
    kept = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    lines = re.sub(r"\s*\\\n\s*", " ", kept).splitlines()
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def last(parsed: list[tuple[str, str]], keyword: str) -> str:
    return [rest for word, rest in parsed if word == keyword][-1]


def compose_service() -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["lakehouse"]
    return service


def systemd_unit() -> configparser.ConfigParser:
    """The unit; keys that stand more than once (SystemCallFilter) keep their last value."""
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT.read_text())
    return unit


def container_command() -> list[str]:
    parsed = instructions(CONTAINERFILE.read_text())
    command: list[str] = json.loads(last(parsed, "ENTRYPOINT")) + json.loads(last(parsed, "CMD"))
    return command


def compose_command() -> list[str]:
    entry: list[str] = json.loads(last(instructions(CONTAINERFILE.read_text()), "ENTRYPOINT"))
    return entry + list(compose_service()["command"])


def systemd_command() -> list[str]:
    return shlex.split(systemd_unit()["Service"]["ExecStart"])


def parse(command: list[str]) -> dict[str, Any]:
    """Have the command line read `command` without running it. Raises click's UsageError for what it does not know."""
    assert Path(command[0]).name == "lakehouse"
    context = click.Context(main, info_name="lakehouse")
    found = main.get_command(context, command[1])
    assert found is not None, f"there is no command {command[1]!r}"
    return dict(found.make_context(command[1], command[2:], parent=context).params)


COMMANDS = {"container": container_command, "compose": compose_command, "systemd": systemd_command}


@pytest.mark.parametrize("where", list(COMMANDS))
def test_commands_exist(where: str) -> None:
    command = COMMANDS[where]()
    assert command[1] == "serve"
    params = parse(command)
    assert params["port"] == 8000
    assert params["host"] == ("127.0.0.1" if where == "systemd" else "0.0.0.0")
    assert str(params["data"]) == ("/var/lib/lakehouse" if where == "systemd" else "/data")


def test_an_unknown_option_is_seen() -> None:
    with pytest.raises(click.UsageError):
        parse(["lakehouse", "serve", "--no-such-option"])


def test_the_image_runs_as_an_ordinary_user() -> None:
    parsed = instructions(CONTAINERFILE.read_text())
    assert parsed[-1][0] == "CMD"
    user = last(parsed, "USER").split(":")[0]
    assert user.isdigit()
    assert int(user) > 0
    assert last(parsed, "VOLUME") == "/data"


def test_the_image_is_built_from_files_that_are_there() -> None:
    parsed = instructions(CONTAINERFILE.read_text())
    sources = [
        name
        for word, rest in parsed
        if word == "COPY" and "--from" not in rest
        for name in rest.split()[:-1]
        if not name.startswith("--")
    ]
    assert sources
    assert [name for name in sources if not (ROOT / name).exists()] == []
    kept = (CONTAINERFILE.parent / "Containerfile.dockerignore").read_text()
    assert [name for name in sources if f"!{name}" not in kept.split()] == []


def test_the_image_has_a_python_that_the_program_runs_on() -> None:
    version = last(instructions(CONTAINERFILE.read_text()), "ARG").partition("=")[2]
    least = re.search(r'requires-python = ">=(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert least is not None
    assert tuple(map(int, version.split("."))) >= tuple(map(int, least.groups()))


def test_compose_keeps_the_data_and_watches_the_server() -> None:
    service = compose_service()
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["volumes"]
    name, _, target = service["volumes"][0].partition(":")
    assert name in volumes
    command = service["command"]
    assert target == command[command.index("--data") + 1]
    port = command[command.index("--port") + 1]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"http://127.0.0.1:{port}/_health" in service["healthcheck"]["test"][-1]
    compile(service["healthcheck"]["test"][-1], "healthcheck", "exec")
    assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_the_unit_writes_only_where_its_data_are() -> None:
    service = systemd_unit()["Service"]
    command = systemd_command()
    assert command[command.index("--data") + 1] == f"/var/lib/{service['StateDirectory']}"
    assert service["DynamicUser"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["StateDirectoryMode"] == "0700"


def test_continued_lines_are_one_instruction() -> None:
    assert instructions("# c\nRUN a \\\n    && b\nCMD []\n") == [("RUN", "a && b"), ("CMD", "[]")]


# -- the parts of docker-compose.yml -----------------------------------------------------------------------------------

VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def example() -> dict[str, str]:
    lines = (ROOT / "deploy" / "docker" / "env.example").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


def test_compose_says_only_what_compose_knows() -> None:
    known = {
        "build", "image", "command", "environment", "ports", "volumes", "depends_on", "healthcheck", "restart", "init",
        "read_only", "stop_grace_period", "tmpfs", "cap_drop", "security_opt", "pull_policy", "expose", "shm_size",
    }  # fmt: skip
    whole = compose()
    assert set(whole) == {"services", "volumes"}
    for name, service in whole["services"].items():
        assert set(service) <= known, name
        assert set(service.get("depends_on", ())) <= set(whole["services"])
        assert {volume.partition(":")[0] for volume in service["volumes"]} <= set(whole["volumes"])
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert all(isinstance(value, str) for value in service["environment"].values())


def test_compose_names_settings_that_there_are() -> None:
    known = {leaf.variable for leaf in leaves()}
    for name in ("lakehouse", "store"):
        service = compose()["services"][name]
        assert set(service["environment"]) <= known
        params = parse(["lakehouse", *service["command"]])
        assert str(params["data"]) == service["volumes"][0].partition(":")[2]


def test_every_variable_of_compose_is_in_the_example() -> None:
    used = {match[1] for match in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())}
    assert used == set(example())
    secret = {name for name in used if re.search("SECRET|PASSWORD", name)}
    assert [name for name in secret if example()[name]] == []  # nobody runs with a secret that everybody knows


def test_only_the_server_is_reached_from_outside() -> None:
    services = compose()["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["lakehouse"]
    assert all(port.startswith("127.0.0.1:") for port in services["lakehouse"]["ports"])


def test_the_timer_runs_a_command_that_is_there() -> None:
    folder = UNIT.parent
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((folder / "lakehouse-gc.service").read_text())
    service = unit["Service"]
    command = shlex.split(service["ExecStart"])
    assert parse(command)["data"] == f"/var/lib/{service['StateDirectory']}"
    assert service["User"] == systemd_unit()["Service"]["User"]
    assert service["Type"] == "oneshot"
    assert "Unit=lakehouse-gc.service" in (folder / "lakehouse-gc.timer").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for unit in UNIT.parent.iterdir():
        text = unit.read_text().replace("/opt/lakehouse/bin/lakehouse", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "lakehouse" in line]) == (0, [])
