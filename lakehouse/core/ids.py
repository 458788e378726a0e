# SPDX-License-Identifier: Apache-2.0
"""Distinct types for identifiers, and the only place where names are judged.

Rows, signatures and cache keys use the integer ids, which are never used again; names live in one column each.
"""

from __future__ import annotations

import re
from typing import NewType

from lakehouse.core.errors import InvalidName

RepositoryId = NewType("RepositoryId", int)
BranchId = NewType("BranchId", int)
UserId = NewType("UserId", int)
GroupId = NewType("GroupId", int)
PolicyId = NewType("PolicyId", int)
StagingToken = NewType("StagingToken", int)
"""Names a staging area in the database. Never shown to clients: theirs is `versioning.tokens`."""

RepositoryName = NewType("RepositoryName", str)
BranchName = NewType("BranchName", str)
TagName = NewType("TagName", str)
CommitId = NewType("CommitId", str)
"""SHA-256 of the commit's canonical bytes, 64 lower-case hex digits."""
MetaRangeId = NewType("MetaRangeId", str)
"""Id of a tree's root node, 64 lower-case hex digits; "" is the empty tree."""
EntryPath = NewType("EntryPath", bytes)
"""Path of an object in a repository: 1 to 1,024 bytes of UTF-8, compared bytewise."""

NO_COMMIT = CommitId("")
EMPTY_TREE = MetaRangeId("")

_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")
_BRANCH = re.compile(r"\w[-\w]*", re.ASCII)
_TAG_FORBIDDEN = re.compile(r"[\x00-\x20\x7f^:?*\[\\/]|\.\.|@\{")
_HEX = re.compile(r"[0-9a-f]{1,64}")
MAX_NAME = 255


def parse_repository_name(text: str) -> RepositoryName:
    """`text` as a repository name: 3 to 63 of a-z, 0-9 and "-", not beginning with "-". Raises InvalidName."""
    if not _REPOSITORY.fullmatch(text):
        raise InvalidName(
            "argument repository: repository id: invalid value: validation error "
            "(3 to 63 characters a-z, 0-9 and '-', not beginning with '-')"
        )
    return RepositoryName(text)


def parse_branch_name(text: str, *, argument: str = "branch") -> BranchName:
    """`text` as a branch name: letters, digits, "_" and "-", not beginning with "-". Raises InvalidName."""
    if len(text) > MAX_NAME or not _BRANCH.fullmatch(text):
        raise InvalidName(
            f"argument {argument}: branch id: invalid value: validation error "
            f"(letters, digits, '_' and '-', not beginning with '-', at most {MAX_NAME})"
        )
    return BranchName(text)


def parse_tag_name(text: str) -> TagName:
    """`text` as a tag name, by the rules of git without "/". Raises InvalidName."""
    if not text or text == "@" or len(text) > MAX_NAME or text.endswith((".", ".lock")) or _TAG_FORBIDDEN.search(text):
        raise InvalidName("argument tag: tag id: invalid value: validation error")
    return TagName(text)


def parse_user_name(text: str) -> str:
    """`text` as a user name: 1 to 255 printable characters without "%" and "/". Raises InvalidName."""
    return _parse_plain(text, argument="username")


def parse_group_name(text: str) -> str:
    """`text` as the name of a group, by the rule of user names. Raises InvalidName."""
    return _parse_plain(text, argument="group")


def parse_policy_name(text: str) -> str:
    """`text` as the name of a policy, by the rule of user names. Raises InvalidName."""
    return _parse_plain(text, argument="policy")


def _parse_plain(text: str, *, argument: str) -> str:
    if not text or len(text) > MAX_NAME or not text.isprintable() or "%" in text or "/" in text or text != text.strip():
        raise InvalidName(
            f"argument {argument}: invalid value: validation error "
            f"(1 to {MAX_NAME} printable characters, no '%' or '/')"
        )
    return text


def is_commit_id(text: str) -> bool:
    """Whether `text` is a whole commit id."""
    return len(text) == 64 and _HEX.fullmatch(text) is not None


def is_commit_prefix(text: str) -> bool:
    """Whether `text` could be the beginning of a commit id (1 to 64 lower-case hex digits)."""
    return _HEX.fullmatch(text) is not None
