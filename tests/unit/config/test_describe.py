# SPDX-License-Identifier: Apache-2.0
"""The reference page and the model say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.config.describe import documentation, lines, reference_page
from lakehouse.config.load import leaves, load

if TYPE_CHECKING:
    from pathlib import Path


def test_the_page_is_the_model(repository_root: Path) -> None:
    page = repository_root / "docs" / "reference" / "configuration.md"
    assert page.read_text(encoding="utf-8") == reference_page(), (
        "write lakehouse.config.describe.reference_page() to it"
    )


def test_every_setting_is_documented_and_shown() -> None:
    documented = documentation()
    keys = [leaf.key for leaf in leaves()]
    assert all(documented[key] for key in keys)
    shown = [line.key for line in lines(load(environment={}))]
    assert shown == [key for key in keys if ".NAME." not in key]


def test_named_sections_are_shown_by_their_names() -> None:
    environment = {
        "LAKEHOUSE_OBJECT_STORES__COLD": "s3://cold",
        "LAKEHOUSE_OBJECT_STORES__COLD__SECRET_ACCESS_KEY": "x",
    }
    shown = {line.key: line for line in lines(load(environment=environment))}
    assert shown["object_stores.cold.url"].value == "s3://cold"
    assert shown["object_stores.cold.url"].origin == "environment LAKEHOUSE_OBJECT_STORES__COLD"
    assert shown["object_stores.cold.region"].origin == "default"
    assert shown["object_stores.cold.secret_access_key"].value == "***"


def test_secrets_are_stars() -> None:
    shown = {line.key: line for line in lines(load(environment={"LAKEHOUSE_SECRET": "hunter2-hunter2"}))}
    assert shown["secret"].value == "***"
    assert shown["other_secret"].value == ""
