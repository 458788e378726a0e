# SPDX-License-Identifier: Apache-2.0
"""One secret, many keys; two secrets live while one replaces the other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from lakehouse.auth import keys
from lakehouse.auth.keys import KeyRing
from lakehouse.auth.secrets import configured_secret, generated_secret
from lakehouse.core.errors import BadConfiguration, StartupError

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = b"the old master secret, 32 bytes.", b"the new master secret, 32 bytes."


def test_keys_are_stable_and_differ_by_purpose_and_secret() -> None:
    ring = KeyRing(OLD)
    assert ring.derive(keys.JWT) == KeyRing(OLD).derive(keys.JWT)
    found = {ring.derive(purpose)[1] for purpose in (keys.JWT, keys.ADDRESS, keys.CREDENTIALS, keys.PRESIGN)}
    assert len(found | {KeyRing(NEW).derive(keys.JWT)[1]}) == 5
    assert all(len(key) == 32 for key in found)


def test_derivation_never_changes() -> None:
    """Everything that was ever signed or encrypted depends on these values."""
    assert KeyRing(OLD).current == "qINo"
    assert keys.derived(OLD, keys.JWT).hex()[:32] == "b6579464d4a6a80fb1149de401b7533e"


def test_both_secrets_are_live_and_the_current_one_signs() -> None:
    old, both, new = KeyRing(OLD), KeyRing(NEW, OLD), KeyRing(NEW)
    assert both.current == new.current
    assert both.find(old.current, keys.JWT) == old.derive(keys.JWT)[1]
    assert new.find(old.current, keys.JWT) is None
    signature = old.signer(keys.ADDRESS).sign((1, "a"))
    assert both.signer(keys.ADDRESS).verify((1, "a"), signature)
    assert not new.signer(keys.ADDRESS).verify((1, "a"), signature)
    assert new.signer(keys.ADDRESS).verify((1, "a"), both.signer(keys.ADDRESS).sign((1, "a")))


def test_nothing_shows_a_key() -> None:
    ring = KeyRing(OLD, NEW)
    assert repr(ring) == f"KeyRing({', '.join(ring.key_ids)})"
    assert ring.fingerprint(ring.current) != ring.fingerprint(ring.key_ids[1])


def test_a_generated_secret_stays_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    first = generated_secret(path)
    assert generated_secret(path) == first
    assert len(first) == 64
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["secret"]


def test_a_secret_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    generated_secret(path)
    path.chmod(0o644)
    generated_secret(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_many_at_once_get_the_same_secret(tmp_path: Path) -> None:
    found: list[bytes] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        found.append(generated_secret(tmp_path / "secret"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_damaged_and_missing_places_are_said(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short")
    with pytest.raises(StartupError, match="damaged"):
        generated_secret(tmp_path / "secret")
    with pytest.raises(StartupError, match="cannot be used"):
        generated_secret(tmp_path / "nowhere" / "secret")


def test_short_secrets_are_refused_without_being_shown() -> None:
    with pytest.raises(BadConfiguration, match="16 bytes") as caught:
        configured_secret("hunter2")
    assert "hunter2" not in str(caught.value)
    assert configured_secret(" " + "x" * 16 + "\n") == b"x" * 16
