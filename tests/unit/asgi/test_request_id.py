# SPDX-License-Identifier: Apache-2.0
"""Request ids are UUIDs, and no two processes make the same."""

from __future__ import annotations

import subprocess
import sys
from uuid import UUID

from lakehouse.asgi.request_id import RequestIds

FORK = """
import os
from lakehouse.asgi.request_id import RequestIds
RequestIds()()
child = os.fork()
if child:
    os.waitpid(child, 0)
print(RequestIds()(), flush=True)
os._exit(0)
"""


def test_ids_are_random_uuids() -> None:
    made = [RequestIds()() for _ in range(100)]
    assert len(set(made)) == 100
    assert {(UUID(one).version, str(UUID(one))) for one in made} == {(4, one) for one in made}


def test_forked_processes_make_different_ids() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)
    lines = done.stdout.split()
    assert len(lines) == len(set(lines)) == 2
