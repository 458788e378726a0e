# SPDX-License-Identifier: Apache-2.0
"""Policies: patterns, wildcards, denials, conditions; and a plain evaluator that the compiled one agrees with."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.auth.actions import KNOWN, domain_of
from lakehouse.auth.arn import Arn, Patterns, is_everything, matcher, parse_arn, parse_resources
from lakehouse.auth.builtin import ACLS, GROUPS, POLICIES, acl_statements
from lakehouse.auth.rules import Rules, check_statements
from lakehouse.core.errors import InvalidPolicy
from lakehouse.core.ids import UserId
from lakehouse.core.records import Effect, PolicyStatement, User

ANN = User(UserId(7), "ann", 0)


def statement(*actions: str, on: str = "*", effect: str = "allow", **condition) -> PolicyStatement:
    return PolicyStatement(Effect(effect), actions, on, condition)


def allows(action: str, resource: str, *statements: PolicyStatement, user: User = ANN) -> bool:
    return Rules(statements, user=user.name).judge(action).allows(resource, user)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a", "a", True), ("a", "ab", False), ("a*", "a", True), ("a*", "a/b\nc", True), ("*", "", True),
        ("a*b*c", "abc", True), ("a*b*c", "axbxbxc", True), ("a*b*c", "acb", False), ("a?c", "abc", True),
        ("a?c", "ac", False), ("a.c", "abc", False), ("*a*a*", "aba", True), ("*a*a*", "ab", False),
        ("**", "x", True), ("a**c", "abc", True), ("(a|b)", "a", False), ("[ab]", "a", False), ("a\\*", "a\\b", True),
        ("user/${user}", "user/a*n", True), ("user/${user}", "user/axn", False), ("*${user}", "xa*n", True),
    ],
)  # fmt: skip
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert bool(matcher([pattern], user="a*n")(text)) is expected


@given(st.lists(st.text("ab*?", min_size=1, max_size=6), min_size=1, max_size=3), st.text("abc", max_size=8))
def test_patterns_agree_with_plain_regular_expressions(patterns: list[str], text: str) -> None:
    plain = any(
        re.fullmatch("".join({"*": ".*", "?": "."}.get(letter, letter) for letter in pattern), text)
        for pattern in patterns
    )
    assert bool(matcher(patterns, user="u")(text)) is plain


def test_no_pattern_takes_for_ever() -> None:
    """With backtracking this would take longer than the universe has."""
    assert not matcher(["*a" * 60 + "b"], user="u")("a" * 4000)


@given(
    st.lists(st.text("ab/*?", min_size=1, max_size=6).map(lambda text: text.replace("a", "${user}", 1)), max_size=5),
    st.text("abu/", max_size=8),
)
def test_an_index_of_patterns_agrees_with_all_of_them(listed: list[str], text: str) -> None:
    plain = any(map(is_everything, listed)) or bool(matcher(listed, user="u/")(text))
    assert Patterns(listed, user="u/")(text) is plain
    assert Patterns(listed, user="u/").empty is (not listed)


@given(
    st.lists(st.text("ab/*?", min_size=1, max_size=6), max_size=4),
    st.text("ab/", min_size=1, max_size=6),
    st.lists(st.text("ab/c", max_size=5), max_size=5),
)
def test_what_is_covered_matches_whatever_follows(listed: list[str], prefix: str, tails: list[str]) -> None:
    patterns = Patterns(listed, user="u/")
    assert not patterns.covers(prefix) or all(patterns(prefix + tail) for tail in tails)


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [
        ("*", True),
        ("repository/*", True),
        ("repository/lakes/*", True),
        ("repository/lakes/object/*", True),
        ("repository/l*/object/*", True),
        ("repository/${user}/object/*", True),
        ("repository/lakes/object/a*", False),
        ("repository/lakes/object/*.parquet", False),
        ("repository/lakes/object/?", False),
        ("repository/lakes/object/", False),
        ("repository/other/object/*", False),
    ],
)
def test_what_covers_a_repository(pattern: str, covered: bool) -> None:
    assert Patterns(["user/a*", pattern], user="lakes").covers("repository/lakes/object/") is covered


def test_nothing_matches_no_pattern() -> None:
    assert not matcher([], user="u")("")


def test_arns() -> None:
    assert parse_arn("*") == Arn("*", "*")
    assert parse_arn("arn:lakefs:fs:::repository/a") == Arn("fs", "repository/a")
    assert parse_arn("arn:lakefs:fs:::namespace/s3://bucket:1/x") == Arn("fs", "namespace/s3://bucket:1/x")
    assert parse_arn("arn:*:*:*:*:*") == Arn("*", "*")
    assert parse_resources('["*", "arn:lakefs:auth:::user/a"]') == (Arn("*", "*"), Arn("auth", "user/a"))
    assert [is_everything(text) for text in ("*", "**", "", "a*", "?")] == [True, True, False, False, False]


def test_default_is_no() -> None:
    assert not allows("fs:ReadObject", "repository/a/object/b")
    assert not allows("fs:ReadObject", "repository/a/object/b", statement("fs:WriteObject"))
    assert allows("fs:ReadObject", "repository/a/object/b", statement("fs:Read*"))
    assert allows("fs:ReadObject", "repository/a/object/b", statement("*"))
    assert not allows("fs:ReadObject", "x", statement("FS:READOBJECT"))


def test_resources_belong_to_a_service() -> None:
    on = statement("*", on="arn:lakefs:fs:::*")
    assert allows("fs:ReadObject", "repository/a", on)
    assert allows("ci:ReadAction", "repository/a", on)
    assert not allows("auth:ReadUser", "user/ann", on)
    users = statement("*", on="arn:lakefs:auth:::user/*")
    assert allows("auth:ReadUser", "user/ann", users)
    assert not allows("auth:ReadGroup", "group/ann", users)
    assert not allows("fs:ReadObject", "user/ann", users)


def test_a_pattern_is_not_everything() -> None:
    """What asks for `*` wants all there is: no pattern that leaves something out is enough."""
    for on in ("arn:lakefs:auth:::user/*", "arn:lakefs:auth:::?", "arn:lakefs:fs:::*"):
        assert not allows("auth:ListUsers", "*", statement("auth:ListUsers", on=on))
    assert allows("auth:ListUsers", "*", statement("auth:ListUsers", on="arn:lakefs:auth:::*"))


def test_a_list_of_resources() -> None:
    on = json.dumps(["arn:lakefs:fs:::repository/a", "arn:lakefs:fs:::repository/b/*"])
    one = statement("fs:*", on=on)
    found = [allows("fs:ReadRepository", f"repository/{name}", one) for name in ("a", "b", "b/x", "a/x", "ab")]
    assert found == [True, False, True, False, False]


def test_denial_wins_in_any_order() -> None:
    no = statement("fs:Read*", on="arn:lakefs:fs:::repository/a/*", effect="deny")
    for both in ((statement("fs:*"), no), (no, statement("fs:*"))):
        assert not allows("fs:ReadObject", "repository/a/object/x", *both)
        assert allows("fs:WriteObject", "repository/a/object/x", *both)
        assert allows("fs:ReadObject", "repository/ab/object/x", *both)


def test_ones_own_name_is_no_pattern() -> None:
    own = statement("auth:*", on="arn:lakefs:auth:::user/${user}")
    assert allows("auth:ReadUser", "user/ann", own)
    assert not allows("auth:ReadUser", "user/bob", own)
    star = User(UserId(8), "*", 0)
    assert not allows("auth:ReadUser", "user/bob", own, user=star)
    assert allows("auth:ReadUser", "user/*", own, user=star)


def at(peer: str) -> User:
    return User(UserId(7), "ann", 0, peer=peer)


@pytest.mark.parametrize(
    ("condition", "inside", "outside", "unknown"),
    [
        ({"IpAddress": {"SourceIp": ["10.0.0.0/8", "::1"]}}, True, False, False),
        ({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}, False, True, False),
        ({"StringLike": {"SourceIp": ["10.*"]}}, True, False, False),
        ({"StringNotLike": {"sourceip": ["10.*"]}}, False, True, False),
        ({"StringLike": {"UserName": ["a?n"]}}, True, True, True),
        ({"StringNotLike": {"UserName": ["${user}"]}}, False, False, False),
        ({"IpAddress": {"SourceIp": ["10.0.0.0/8"]}, "StringLike": {"UserName": ["bob"]}}, False, False, False),
    ],
)
def test_conditions(condition, inside, outside, unknown) -> None:
    """What is not known helps nobody: it allows nothing, and denies."""
    yes = statement("fs:*", **condition)
    no = (statement("fs:*"), statement("fs:*", effect="deny", **condition))
    for peer, expected in (("10.1.2.3", inside), ("192.0.2.1", outside), ("", unknown), ("::ffff:10.1.2.3", None)):
        if expected is not None:
            assert allows("fs:ReadObject", "x", yes, user=at(peer)) is expected
            assert allows("fs:ReadObject", "x", *no, user=at(peer)) is (
                not expected and not (peer == "" and _unsure(condition))
            )
    ipv4_in_ipv6 = {"IpAddress": {"SourceIp": ["10.0.0.0/8"]}}
    assert allows("fs:ReadObject", "x", statement("fs:*", **ipv4_in_ipv6), user=at("::ffff:10.1.2.3"))


def _unsure(condition) -> bool:
    """Whether a condition cannot be told without an address, and no other one fails."""
    keys = {key.rpartition(":")[2].lower() for one in condition.values() for key in one}
    return keys == {"sourceip"}


def test_somewhere() -> None:
    def somewhere(*statements: PolicyStatement) -> bool:
        return Rules(statements, user="ann").judge("fs:ListRepositories").allows_somewhere(ANN)

    narrow = statement("fs:List*", on="arn:lakefs:fs:::repository/a")
    assert not somewhere()
    assert somewhere(narrow)
    assert not somewhere(statement("fs:List*", on="arn:lakefs:auth:::*"))
    assert not somewhere(narrow, statement("fs:*", effect="deny"))
    assert somewhere(narrow, statement("fs:*", on="arn:lakefs:fs:::repository/b", effect="deny"))
    assert not somewhere(statement("fs:*", IpAddress={"SourceIp": ["10.0.0.0/8"]}))


def test_below() -> None:
    def below(*statements: PolicyStatement, within: Rules | None = None) -> bool:
        rules = Rules(statements, user="ann", within=within)
        return rules.judge("fs:WriteObject").allows_below("repository/a/object/", ANN)

    objects = statement("fs:Write*", on="arn:lakefs:fs:::repository/a/object/*")
    assert below(statement("fs:*"))
    assert below(objects)
    assert not below()
    assert not below(statement("fs:Write*", on="arn:lakefs:fs:::repository/a/object/b/*"))
    assert not below(objects, statement("fs:*", on="arn:lakefs:fs:::repository/a/object/b", effect="deny"))
    assert below(objects, statement("fs:Delete*", effect="deny"))
    assert not below(objects, statement("fs:*", effect="deny", IpAddress={"SourceIp": ["10.0.0.0/8"]}))
    assert not below(statement("fs:*", IpAddress={"SourceIp": ["10.0.0.0/8"]}))
    assert not below(objects, within=Rules([], user="ann"))
    assert below(objects, within=Rules([objects], user="ann"))


def test_denied_below() -> None:
    def denied(*statements: PolicyStatement, within: Rules | None = None) -> bool:
        rules = Rules(statements, user="ann", within=within)
        return rules.judge("fs:WriteObject").denies_below("repository/a/object/in/", ANN)

    def deny(on: str, **conditions: dict[str, list[str]]) -> PolicyStatement:
        return statement("fs:*", on=f"arn:lakefs:fs:::repository/{on}", effect="deny", **conditions)

    assert not denied(statement("fs:*"))
    assert not denied(deny("b/*"), deny("a/object/other/*"), deny("a/object/in"), statement("fs:Read*", effect="deny"))
    for on in ("a/object/in/x", "a/object/in/x/*", "a/object/i*", "a/*/y", "*", "a/object/in/"):
        assert denied(deny(on)), on
    assert denied(statement("fs:*", effect="deny"))
    assert denied(deny("*", IpAddress={"SourceIp": ["10.0.0.0/8"]}))
    assert denied(within=Rules([deny("a/object/in/x")], user="ann"))


def test_what_may_be_stored() -> None:
    for statements in POLICIES.values():
        check_statements(statements)
    check_statements([statement(action) for action in KNOWN])
    for bad in ([], [statement()], [statement("fs:*", on="x")], [statement("fs:Fly")], [statement("x:*")]):
        with pytest.raises(InvalidPolicy):
            check_statements(bad)


def test_built_in_groups_have_built_in_policies() -> None:
    assert {policy for _, names in GROUPS.values() for policy in names} <= set(POLICIES)
    assert set(ACLS.values()) == set(GROUPS)
    everything = Rules(acl_statements("Admin"), user="ann")
    assert all(everything.judge(action).always for action in KNOWN)
    reading = Rules(acl_statements("Read"), user="ann")
    may = {action for action in KNOWN if reading.judge(action).always}
    assert all(re.match(r"(fs|pr|catalog):(Read|List|Get)", action) for action in may)
    assert "fs:ReadObject" in may


ACTIONS = ["fs:ReadObject", "fs:WriteObject", "auth:ReadUser"]
RESOURCES = ["repository/a", "repository/ab/object/x", "user/ann", "*"]
STATEMENTS = st.builds(
    PolicyStatement,
    st.sampled_from(Effect),
    st.lists(st.sampled_from([*ACTIONS, "fs:*", "*", "fs:Read*"]), min_size=1, max_size=2).map(tuple),
    st.sampled_from(
        ["*", "arn:lakefs:fs:::*", "arn:lakefs:fs:::repository/a*", "arn:lakefs:auth:::user/${user}",
         '["arn:lakefs:fs:::repository/a", "arn:lakefs:*:::user/*"]']
    ),
)  # fmt: skip


@given(st.lists(STATEMENTS, max_size=5), st.sampled_from(ACTIONS), st.sampled_from(RESOURCES))
def test_compiled_rules_agree_with_plain_ones(statements, action: str, resource: str) -> None:
    def glob(pattern: str, text: str) -> bool:
        return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None

    def hits(one: PolicyStatement) -> bool:
        listed = json.loads(one.resource) if one.resource.startswith("[") else [one.resource]
        for arn in listed:
            service, pattern = ("*", "*") if arn == "*" else (arn.split(":")[2], arn.split(":", 5)[5])
            pattern = pattern.replace("${user}", "ann")
            wide = pattern == "*" or resource != "*"
            if service in ("*", domain_of(action)) and wide and glob(pattern, resource):
                return any(glob(each, action) for each in one.action)
        return False

    found = [one.effect for one in statements if hits(one)]
    expected = Effect.ALLOW in found and Effect.DENY not in found
    assert allows(action, resource, *statements) is expected
