# SPDX-License-Identifier: Apache-2.0
"""Hook files: what is read out of them, and what they cannot do to the reader."""

from __future__ import annotations

import json

import pytest

from lakehouse.actions import properties
from lakehouse.actions.environment import allowed, filled
from lakehouse.actions.spec import LARGEST, HookType, parse_action
from lakehouse.core.errors import HookFailed, InvalidAction
from lakehouse.versioning.state.events import Event

WHOLE = b"""
name: My action
description: what it is for
on:
  pre-commit: {branches: [main, "feature-*"]}
  post-merge:
hooks:
  - id: my_hook
    type: webhook
    description: more
    if: failure()
    properties: {url: "http://example.org", when: 2026-01-01}
  - {id: other, type: lua}
"""


def one_hook(**more: object) -> bytes:
    hook = {"id": "h1", "type": "webhook", **more}
    return json.dumps({"name": "ok", "on": {"pre-commit": None}, "hooks": [hook]}).encode()


def test_a_file() -> None:
    action = parse_action(WHOLE, where="a.yaml")
    assert action.name == "My action"
    assert [(hook.id, hook.type) for hook in action.hooks] == [("my_hook", HookType.WEBHOOK), ("other", HookType.LUA)]
    assert action.hooks[0].condition(True)
    assert not action.hooks[0].condition(False)
    assert action.concerns(Event.PRE_COMMIT, "main")
    assert action.concerns(Event.PRE_COMMIT, "feature-1")
    assert not action.concerns(Event.PRE_COMMIT, "my-main")
    assert action.concerns(Event.POST_MERGE, "any")
    assert not action.concerns(Event.PRE_MERGE, "main")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff\xfe\xff",
        b"name: a: b",
        b"{name: x, on: {pre-commit: }, hooks: [{id: h1, type: lua}]}",
        b"{name: ok, hooks: [{id: h1, type: lua}]}",
        b"{name: ok, on: {}, hooks: [{id: h1, type: lua}]}",
        b"{name: ok, on: {pre-commit: []}, hooks: [{id: h1, type: lua}]}",
        b"{name: ok, on: {pre-commit: {branches: main}}, hooks: [{id: h1, type: lua}]}",
        b"{name: ok, on: {pre-commit: {branches: ['[']}}, hooks: [{id: h1, type: lua}]}",
        b"{name: ok, on: {pre-commit: }, hooks: []}",
        b"{name: ok, on: {pre-commit: }, hooks: [1]}",
        b"{name: ok, on: {pre-commit: }, hooks: [{id: h1, type: lua}, {id: h1, type: lua}]}",
        b"{name: ok, on: {pre-commit: }, hooks: [{id: h, type: lua}]}",
        b"{name: ok, on: {pre-commit: }, hooks: [{id: h1, type: [lua]}]}",
        b"{name: ok, on: {1: }, hooks: [{id: h1, type: lua}]}",
        one_hook(properties=[]),
        one_hook(**{"if": 3}),
        one_hook(**{"if": "exit()"}),
        b"!!python/object/apply:os.getcwd []",
        b"name: &a ok\nother: *a",
        b"[" * 5000,
        b"{? {? {} : x} : y}",
        b" " * (LARGEST + 1),
    ],
)
def test_what_is_no_hook_file(text) -> None:
    with pytest.raises(InvalidAction, match=r"^invalid action: a\.yaml: "):
        parse_action(text, where="a.yaml")


def test_words_that_yaml_takes_for_truth_are_words() -> None:
    action = parse_action(one_hook(properties={"a": 1}).replace(b'"ok"', b"yes"), where="a")
    assert action.name == "yes"


def test_only_what_is_allowed_of_the_environment() -> None:
    known = allowed({"LAKEFSACTION_A": "1", "SECRET": "2", "MORE": "3"}, ("LAKEFSACTION_*", "MORE"))
    assert known == {"LAKEFSACTION_A": "1", "MORE": "3"}
    assert filled({"x": ["{{ ENV.MORE }}-{{ENV.LAKEFSACTION_A}}", 5], "y": "{{ other }}"}, known) == {
        "x": ["3-1", 5],
        "y": "{{ other }}",
    }
    with pytest.raises(HookFailed, match=r"SECRET.*actions\.environment"):
        filled("{{ ENV.SECRET }}", known)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 3600), ("2h", 3600), (None, 7)]
)
def test_timeouts(text, seconds) -> None:
    assert properties.seconds({"timeout": text}, default=7) == seconds


@pytest.mark.parametrize("wrong", ["soon", "1", "1d", "-1s", [], True])
def test_what_is_no_timeout(wrong) -> None:
    with pytest.raises(HookFailed, match="timeout"):
        properties.seconds({"timeout": wrong}, default=7)


def test_queries() -> None:
    assert properties.with_query("http://a/b#c", {"query_params": {"x": [1, "y z"]}}) == "http://a/b?x=1&x=y+z#c"
    assert properties.with_query("http://a/b?d=1", {"query_params": {"x": False}}) == "http://a/b?d=1&x=false"
    assert properties.with_query("http://a/b", {}) == "http://a/b"
    with pytest.raises(HookFailed, match="query_params"):
        properties.with_query("http://a", {"query_params": "x=1"})
    with pytest.raises(HookFailed, match="url: missing"):
        properties.text({}, "url")
