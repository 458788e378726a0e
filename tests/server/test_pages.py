# SPDX-License-Identifier: Apache-2.0
"""The API's document and its reference page: every operation is there, and the page can do nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx2
import pytest

from lakehouse.api.openapi import openapi_document
from lakehouse.api.reference import POLICY, STYLE, reference_page
from lakehouse.wire.operation import Operation, need
from lakehouse.wire.table import OPERATIONS
from tests.running import running_server

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Ids, links and tags of a page; fails on tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self._open: list[str] = []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.add(tag)
        self.attributes |= set(found)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def close(self):
        super().close()
        assert self._open == []


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    return page


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("data")) as server, httpx2.Client(base_url=server.url) as client:
        yield client


def test_every_operation_is_on_the_page(served):
    answer = served.get("/docs")
    page = parsed(answer.text)
    shown = served.get("/openapi.json").json()
    ids = {one["operationId"] for methods in shown["paths"].values() for one in methods.values()}
    assert {operation.id for operation in OPERATIONS} <= ids <= set(page.ids)
    assert {f"type-{name}" for name in shown["components"]["schemas"]} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    inside = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)
    assert [link for link in page.links if not link.startswith("#")] == ["/openapi.json"]


def test_the_page_can_do_nothing(served):
    answer = served.get("/docs")
    assert answer.headers["content-security-policy"] == POLICY
    assert POLICY.startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    page = parsed(answer.text)
    assert not page.tags & {"script", "iframe", "object", "form", "img", "link", "base"}
    assert not {name for name in page.attributes if name.startswith("on") or name == "style"}
    assert re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL).group(1) == STYLE  # what the policy's hash is of


def test_text_is_text():
    evil = Operation(
        name="evil",
        id="evil",
        method="GET",
        path="/x/{y}",
        tag="t",
        summary="<script>x</script>",
        allow=need("a", "<b>"),
    )
    page = reference_page([evil], openapi_document([evil], version="<i>"))
    assert "<script>" not in page
    assert "<b>" not in page.replace("<b>GET</b>", "")
    assert "<i>" not in page
    parsed(page)
