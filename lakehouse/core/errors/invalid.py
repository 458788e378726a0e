# SPDX-License-Identifier: Apache-2.0
"""400: the request can never succeed as it stands."""

from __future__ import annotations

from lakehouse.core.errors.kinds import InvalidArgument


class InvalidName(InvalidArgument):
    """A repository, branch, tag or user name that the rules do not allow."""


class InvalidPath(InvalidArgument):
    """An object path that is empty, longer than 1,024 bytes or not UTF-8."""


class InvalidRef(InvalidArgument):
    default = "invalid ref: invalid value: validation error"


class InvalidAddress(InvalidArgument):
    default = "invalid address"


class InvalidToken(InvalidArgument):
    """A staging token that this server did not sign, or that belongs to another branch."""

    default = "staging token: link address invalid"


class MissingValue(InvalidArgument):
    """A required value is absent."""


class BodyTooLarge(InvalidArgument):
    """The body, or an item of it, is larger than the limit that the message names."""


class LinkAddressInvalid(InvalidArgument):
    default = "link address invalid"


class LinkAddressExpired(InvalidArgument):
    default = "link address expired"


class NoChanges(InvalidArgument):
    default = "no changes"


class DirtyBranch(InvalidArgument):
    default = "uncommitted changes (dirty branch)"


class InvalidMergeStrategy(InvalidArgument):
    default = "invalid merge strategy"


class NotInConflict(InvalidArgument):
    """A merge was told how to settle a path that both sides did not change differently."""


class InvalidPolicy(InvalidArgument):
    """A policy with an action, resource or condition that means nothing here; the message says which."""


class NoMergeBase(InvalidArgument):
    default = "no merge base"


class StagingIsNotCommit(InvalidArgument):
    default = "reference to staging area with $ is not a commit"


class NoSuchParent(InvalidArgument):
    default = "given commit does not have the given parent number"


class ParentRequired(InvalidArgument):
    default = "must specify 1-based parent number for cherry-picking merge commit"


class NamespaceInUse(InvalidArgument):
    """Another repository, alive or deleted, has its data in or around this storage namespace."""


class UnknownStorage(InvalidArgument):
    """The storage id or the address names a store that this server does not have."""


class ChecksumMismatch(InvalidArgument):
    """The bytes that came are not the bytes that were announced. Nothing was stored."""


class IncompleteBody(InvalidArgument):
    default = "the request body is shorter or longer than was declared; nothing was stored"


class InvalidPart(InvalidArgument):
    """A part that completes an upload was never uploaded, or its ETag is another one."""


class InvalidPartOrder(InvalidArgument):
    default = "the parts must be listed in ascending order of their numbers, each once"


class PartTooSmall(InvalidArgument):
    default = "every part but the last one must have at least 5 MiB"


class SameBranch(InvalidArgument):
    default = "source and destination of a pull request are the same branch"


class BadPullRequestStatus(InvalidArgument):
    default = "bad pull request status: it is not open"


class NotBare(InvalidArgument):
    default = "can only restore into a bare repository"


class InvalidImportSource(InvalidArgument):
    default = "invalid import source"
