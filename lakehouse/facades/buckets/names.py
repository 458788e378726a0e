# SPDX-License-Identifier: Apache-2.0
"""From names of buckets to names of repositories, and back.

Repository names have no `_`, and two dashes together mark what they cannot say: `--`, a letter for each of a run of
such characters (`u` is `_`, `d` is `-`), `-`. A bucket of `a_b` is the repository `a--u-b`, one of `a-b` is `a-b`.
Where the name is taken, `--n` and a few random letters make another of it. Every name comes back from its repository's.
"""

from __future__ import annotations

import re
import secrets

from lakehouse.core.errors import InvalidName

ID = re.compile(r"bucket-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[a-z](?:-?[a-z0-9_-])*")
_SHORTEST, _LONGEST = 3, 40
_LONGEST_REPOSITORY = 63
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_SUFFIX = 7
"""Characters of a suffix: its mark and four letters."""
_RUN = re.compile(r"[-_]+")
_MARK = re.compile(r"--([ud]+)-|--z([0-9a-z]+)$")
_TO_LETTER = str.maketrans("-_", "du")
_FROM_LETTER = str.maketrans("du", "-_")
_DIGITS = "-0123456789_abcdefghijklmnopqrstuvwxyz"
_PACKED = "0123456789abcdefghijklmnopqrstuvwxyz"


def parse_name(text: str, *, what: str = "bucket") -> str:
    """`text` as the name of a bucket, or of credentials. Raises InvalidName."""
    if not _SHORTEST <= len(text) <= _LONGEST or not _NAME.fullmatch(text):
        raise InvalidName(
            f"{what} name {text[:80]!r}: use {_SHORTEST} to {_LONGEST} of a-z, 0-9, '-' and '_', first a letter"
        )
    return text


def repository_name(bucket: str) -> str:
    """The repository of a bucket of this name: 3 to 56 characters."""
    marked = _RUN.sub(_marked, bucket)
    if len(marked) + _SUFFIX <= _LONGEST_REPOSITORY:
        return marked
    return f"{bucket[0]}--z{_packed(bucket[1:])}"


def another_repository_name(bucket: str) -> str:
    """Another one, where that is taken; each time a different one."""
    return f"{repository_name(bucket)}--n{''.join(secrets.choice(_ALPHABET) for _ in range(4))}"


def bucket_name(repository: str) -> str:
    """The name of the bucket that a repository was named after: the inverse of both."""
    head, mark, tail = repository.rpartition("--n")
    return _MARK.sub(_unmarked, head if mark and len(tail) == 4 else repository)


def _marked(found: re.Match[str]) -> str:
    run = found[0]
    return run if run == "-" else f"--{run.translate(_TO_LETTER)}-"


def _unmarked(found: re.Match[str]) -> str:
    return found[1].translate(_FROM_LETTER) if found[1] is not None else _unpacked(found[2])


def _packed(text: str) -> str:
    """Names that are mostly such characters, in the digits of a repository's name: a number to another base."""
    number = 1
    for char in text:
        number = number * len(_DIGITS) + _DIGITS.index(char)
    return _in_base(number, _PACKED)


def _unpacked(text: str) -> str:
    return _in_base(int(text, len(_PACKED)), _DIGITS)[1:]


def _in_base(number: int, digits: str) -> str:
    found = ""
    while number:
        number, digit = divmod(number, len(digits))
        found = digits[digit] + found
    return found
