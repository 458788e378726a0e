# SPDX-License-Identifier: Apache-2.0
"""The documentation holds together: links lead somewhere, every page is reached, fragments have their form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from lakehouse.cli.main import main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
FRAGMENT = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*\.(feature|fix|change|removal|performance)\.md$")
NOTE = re.compile(r"^\d{3}-[a-z0-9]+(-[a-z0-9]+)*\.md$")
BUILT = {"site", ".cache"}


def pages() -> list[Path]:
    """The pages of the site; what a build left behind is not among them."""
    return sorted(path for path in DOCS.rglob("*.md") if not BUILT & set(path.relative_to(DOCS).parts))


def prose(text: str) -> str:
    """The text without blocks and spans of code: what looks like a link there is none."""
    return CODE.sub("", FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings make, as the site's builder makes them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"[`*]", "", heading).lower()
        found.add(re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain)).strip("-"))
    return found


def broken_links(page: Path) -> list[str]:
    broken = []
    for link in LINK.findall(prose(page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        outside = page.is_relative_to(DOCS) and not path.is_relative_to(DOCS)
        if outside or not path.exists() or (anchor and anchor not in anchors(path.read_text())):
            broken.append(link)
    return broken


def site() -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load((DOCS / "mkdocs.yml").read_text())
    return settings


def navigation(items: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for item in items:
        for target in item.values():
            found += navigation(target) if isinstance(target, list) else [target]
    return found


@pytest.mark.parametrize("page", [ROOT / "README.md", *pages()], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One two\n[a](page.md#one-two) [b](absent.md) [c](#three) `[d](code.md)` [e](https://example.org)\n"
    )
    assert broken_links(page) == ["absent.md", "#three"]


def test_every_page_is_in_the_navigation() -> None:
    reached = navigation(site()["nav"])
    written = {
        path.relative_to(DOCS).as_posix()
        for path in pages()
        if path.parent != DOCS / "changes" or path.name == "README.md"
    }
    assert set(reached) == written
    assert len(reached) == len(set(reached))


def test_every_page_has_one_title_and_it_stands_first() -> None:
    for page in pages():
        if FRAGMENT.match(page.name):
            continue
        titles = re.findall(r"^# .+$", FENCE.sub("", page.read_text()), re.MULTILINE)
        assert len(titles) == 1, page
        assert page.read_text().startswith(titles[0]), page


def test_fragments_and_notes_have_their_names() -> None:
    fragments = [path.name for path in (DOCS / "changes").iterdir() if path.name != "README.md"]
    assert [name for name in fragments if not FRAGMENT.match(name)] == []
    notes = [path.name for path in (DOCS / "design").iterdir()]
    assert [name for name in notes if not NOTE.match(name)] == []
    numbers = [name[:3] for name in notes]
    assert len(numbers) == len(set(numbers))


def test_the_tests_that_hold_the_rules_exist() -> None:
    """Every row of the design note names tests, and each of them is there."""
    page = (DOCS / "design" / "003-rules-and-tests.md").read_text()
    rules = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| rule ")]
    assert [line for line in rules if "::test_" not in line] == []
    missing = [
        f"{path}::{name}"
        for path, name in re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", page)
        if not re.search(rf"\bdef {name}\(", (ROOT / path).read_text())
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("room", "title"),
    [("lakehouse", "| room |"), ("lakehouse/versioning", "| room of `versioning` |")],
    ids=["all", "engine"],
)
def test_the_rooms_of_the_architecture_page_are_those_that_are_checked(room: str, title: str) -> None:
    """The page's table, the list in pyproject.toml and the packages agree, in the order of the layers."""
    page = (DOCS / "explanation" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", page[page.index(title) :].split("\n\n")[0], re.MULTILINE)
    contracts = (ROOT / "pyproject.toml").read_text().split(f'containers = ["{room.replace("/", ".")}"]')[1:]
    checked = re.findall(r"\w+", contracts[0][contracts[0].index("\nlayers = [") + len("\nlayers = [") :].split("]")[0])
    packages = {path.parent.name for path in (ROOT / room).glob("*/__init__.py")}
    assert packages <= set(rows)
    assert [name for name in checked if name in rows] == rows
    if room == "lakehouse":
        drawn = re.search(r"^cli > .*$", page, re.MULTILINE)
        assert drawn is not None
        assert re.findall(r"\w+", drawn.group()) == checked


def commands(command: click.Command, *names: str) -> dict[str, click.Command]:
    """All commands below `command`, by what one types."""
    if not isinstance(command, click.Group):
        return {" ".join(("lakehouse", *names)): command}
    context = click.Context(command)
    found: dict[str, click.Command] = {}
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        found |= commands(below, *names, name)
    return found


def sections(text: str) -> dict[str, str]:
    """The parts of a page by what stands in code in their headings of the second level."""
    parts = re.split(r"^## `([^`]+)`.*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", sorted(commands(main)))
def test_every_command_and_option_is_documented(name: str) -> None:
    page = (DOCS / "reference" / "cli.md").read_text()
    found = [text for heading, text in sections(page).items() if re.match(rf"{name}( |$)", heading)]
    assert found, f"docs/reference/cli.md has no section for `{name}`"
    options = [
        max(option.opts, key=len)
        for option in commands(main)[name].params
        if isinstance(option, click.Option) and not option.hidden
    ]
    assert [option for option in options if not re.search(rf"`{option}\b", found[0])] == []


def test_no_command_is_documented_that_is_not_there() -> None:
    page = (DOCS / "reference" / "cli.md").read_text()
    known = commands(main)
    assert [heading for heading in sections(page) if not any(heading.split(" [")[0] == name for name in known)] == []
