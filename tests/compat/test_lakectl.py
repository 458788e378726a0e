# SPDX-License-Identifier: Apache-2.0
"""lakectl against a real server, when the environment variable LAKECTL names its program; else nothing is run.

Each step is a command line and a pattern of what it prints; a step that begins with `!` must fail. `REPO`, `FILE` and
the like are filled in.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import RunningServer

LAKECTL = os.environ.get("LAKECTL", "")
pytestmark = pytest.mark.skipif(not LAKECTL, reason="LAKECTL names no program")
DATA = """
repo create lakefs://REPO s3://lake.local/REPO | REPO
repo list | REPO
branch create lakefs://REPO/dev --source lakefs://REPO/main | created branch
branch list lakefs://REPO | dev
fs upload --source FILE lakefs://REPO/dev/a/b.txt | a/b.txt
fs ls lakefs://REPO/dev/a/ | b.txt
fs stat lakefs://REPO/dev/a/b.txt | b.txt
fs cat lakefs://REPO/dev/a/b.txt | hello
diff lakefs://REPO/dev | a/b.txt
commit lakefs://REPO/dev -m first --meta k=v | first
log lakefs://REPO/dev | first
show commit lakefs://REPO/dev | first
diff lakefs://REPO/main lakefs://REPO/dev | a/b.txt
merge lakefs://REPO/dev lakefs://REPO/main | Merged
! merge lakefs://REPO/dev lakefs://REPO/main |
tag create lakefs://REPO/v1 lakefs://REPO/main | v1
tag list lakefs://REPO | v1
tag show lakefs://REPO/v1 | v1
annotate lakefs://REPO/main | first
branch-protect add lakefs://REPO stable |
branch-protect list lakefs://REPO | stable
branch-protect delete lakefs://REPO stable |
fs rm lakefs://REPO/dev/a/b.txt |
branch reset lakefs://REPO/dev -y |
fs cat lakefs://REPO/dev/a/b.txt | hello
branch revert lakefs://REPO/dev lakefs://REPO/dev -y |
gc set-config lakefs://REPO -f RULES |
gc get-config lakefs://REPO | 7
gc delete-config lakefs://REPO |
actions runs list lakefs://REPO |
tag delete lakefs://REPO/v1 -y |
branch delete lakefs://REPO/dev -y |
identity | admin
doctor |
repo delete lakefs://REPO -y |
! repo delete lakefs://REPO -y | not found
"""
USERS = """
auth users create --id USER | USER
auth users list | USER
auth groups create --id GROUP | GROUP
auth groups list | GROUP
auth groups members add --id GROUP --user USER |
auth groups members list --id GROUP | USER
auth policies create --id POLICY --statement-document STATEMENT | POLICY
auth policies show --id POLICY | fs:ReadObject
auth users policies attach --id USER --policy POLICY |
auth users policies list --id USER | POLICY
auth users policies list --id USER --effective | POLICY
auth groups policies attach --id GROUP --policy POLICY |
auth groups policies list --id GROUP | POLICY
auth users credentials create --id USER | Access Key ID
auth users credentials list --id USER |
auth users groups list --id USER | GROUP
auth groups policies detach --id GROUP --policy POLICY |
auth users policies detach --id USER --policy POLICY |
auth groups members remove --id GROUP --user USER |
auth policies delete --id POLICY |
auth groups delete --id GROUP |
auth users delete --id USER |
! auth users groups list --id USER | not found
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "file.txt").write_text("hello")
    (tmp_path / "rules.json").write_text('{"default_retention_days": 7, "branches": []}')
    (tmp_path / "statement.json").write_text(
        '{"statement": [{"action": ["fs:ReadObject"], "effect": "allow", "resource": "*"}]}'
    )
    return tmp_path


@pytest.mark.parametrize("script", [DATA, USERS], ids=["data", "users"])
def test_lakectl(server: RunningServer, home: Path, script: str) -> None:
    names = {
        "REPO": f"ctl-{home.name.replace('_', '-').lower()[-20:]}",
        "FILE": str(home / "file.txt"),
        "RULES": str(home / "rules.json"),
        "STATEMENT": str(home / "statement.json"),
        "USER": f"user-{home.name}",
        "GROUP": f"group-{home.name}",
        "POLICY": f"policy-{home.name}",
    }
    for line in filter(None, script.splitlines()):
        command, _, expected = line.partition("|")
        fails = command.startswith("!")
        words = [re.sub("|".join(names), lambda found: names[found[0]], word) for word in command.lstrip("! ").split()]
        done = run(server, home, words)
        assert (done.returncode != 0) == fails, (line, done.stdout, done.stderr)
        wanted = re.sub("|".join(names), lambda found: names[found[0]], expected.strip())
        assert wanted in done.stdout + done.stderr, (line, done.stdout, done.stderr)


def run(server: RunningServer, home: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {
        "HOME": str(home),
        "PATH": os.environ.get("PATH", ""),
        "LAKECTL_SERVER_ENDPOINT_URL": f"{server.url}/api/v1",
        "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": server.key,
        "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": server.secret,
    }
    return subprocess.run(
        [LAKECTL, "--no-color", *words],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
