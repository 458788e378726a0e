# SPDX-License-Identifier: Apache-2.0
"""410, 412, 501, 503: what is asked for is gone, not in the state for it, not to be had, or not now."""

from __future__ import annotations

from lakehouse.core.errors.kinds import FailedPrecondition, Gone, Unavailable, Unsupported


class DataMissing(Gone):
    default = "No data"


class RepositoryInDeletion(Gone):
    default = "repository in deletion"


class CommitExpired(Gone):
    default = "the commit is older than the retention rules keep: its objects may be gone: resource expired"


class CollectionRefused(FailedPrecondition):
    """Garbage cannot be collected in this repository, or not now. The message says why. Nothing was deleted."""


class PullRequestBlocked(FailedPrecondition):
    """The merge rules ask for approvals or checks that are not there. The message says which."""


class PreconditionFailed(FailedPrecondition):
    """If-Match, If-None-Match or another condition of the request does not hold."""


class ContentDiffers(FailedPrecondition):
    default = "the object is write-once and holds other bytes"


class HookFailed(FailedPrecondition):
    """A hook of the repository did not agree to the operation. Nothing was changed; the message names run and hook."""


class InvalidAction(FailedPrecondition):
    """A hook file cannot be understood, so that the operation it may be about does not go on. REST answers 500."""


class NotSetUp(FailedPrecondition):
    default = "lakeFS is not initialized: create the first user with `lakehouse setup` or POST /setup_lakefs"


class ConditionUnsupported(Unsupported):
    """A condition that the wire protocol does not know."""


class FormatUnknown(Unsupported):
    """Stored bytes of a format version, codec or boundary table that this program does not know: upgrade it."""


class StorageFull(Unavailable):
    default = "the disk is full: nothing was stored; free some space and try again"


class DatabaseUnavailable(Unavailable):
    default = "the metadata database cannot be written now; nothing was stored, try again"


class OutcomeUnknown(DatabaseUnavailable):
    default = (
        "the connection to the metadata database was lost at the last moment: whether the change was stored is not "
        "known; look before you try again"
    )


class StorageUnavailable(Unavailable):
    default = "the object store cannot be reached now; try again"


class DataDamaged(Unavailable):
    """A node, entry or commit record in the object store is missing or is not what was written. The message says which
    and what to do.
    """
