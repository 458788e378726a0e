# SPDX-License-Identifier: Apache-2.0
"""Airflow hooks: a run of a DAG for each event, waited for if the hook says so."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from lakehouse.actions import properties
from lakehouse.actions.environment import filled
from lakehouse.actions.webhook import TIMEOUT, send
from lakehouse.core.errors import HookFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.actions.outbound import Outbound
    from lakehouse.actions.spec import Hook

PAUSE = 2.0
"""Seconds between two looks at a run that is waited for."""


async def run_airflow(
    hook: Hook,
    payload: bytes,
    *,
    run: str,
    outbound: Outbound,
    environment: Mapping[str, str],
    log: list[str],
    pause: float = PAUSE,
) -> None:
    """Begin a run of the DAG. `run` becomes its id. Raises HookFailed, also when it is waited for and fails."""
    given = filled(hook.properties, environment)
    dag = quote(properties.text(given, "dag_id"), safe="")
    url = f"{properties.text(given, 'url').rstrip('/')}/api/v1/dags/{dag}/dagRuns"
    pair = f"{properties.text(given, 'username')}:{properties.text(given, 'password')}"
    headers = {
        "Content-Type": "application/json",
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
    }
    conf = given.get("dag_conf") or {}
    if not isinstance(conf, dict):
        raise HookFailed("property dag_conf: a mapping is expected")
    name = f"lakeFS_hook_{run}"
    wanted: dict[str, Any] = {"dag_run_id": name, "conf": conf | {"lakeFS_event": msgspec.json.decode(payload)}}
    log.append(f"Request:\nPOST {properties.text(hook.properties, 'url')}: run {name} of {dag}\n")
    left = _Deadline(properties.seconds(given, default=TIMEOUT))

    async def ask(method: str, where: str, body: bytes) -> bytes:
        status, answer = await send(
            outbound, method, where, headers=headers, body=body, timeout=left.seconds(), log=log
        )
        if not 200 <= status < 300:
            raise HookFailed(f"airflow request failed (status code: {status})")
        return answer

    await ask("POST", url, msgspec.json.encode(wanted, enc_hook=str))
    if given.get("wait_for_dag") is True:
        one = f"{url}/{quote(name, safe='')}"
        while not _succeeded(await ask("GET", one, b"")):  # noqa: ASYNC110
            await asyncio.sleep(min(pause, left.seconds()))


class _Deadline:
    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._until = time.monotonic() + timeout

    def seconds(self) -> float:
        """What is left. Raises HookFailed when nothing is."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise HookFailed(f"the DAG did not end within {self._timeout:g} seconds")
        return left


def _succeeded(answer: bytes) -> bool:
    """Whether the run is over. Raises HookFailed when it failed."""
    try:
        state = msgspec.json.decode(answer, type=dict[str, Any]).get("state")
    except msgspec.DecodeError as error:
        raise HookFailed("airflow's answer is not JSON") from error
    if state == "failed":
        raise HookFailed("the DAG failed")
    return bool(state == "success")
