# SPDX-License-Identifier: Apache-2.0
"""What the DataStore raises beside the errors of the server, and questions about errors, as Flyte asks them."""

from __future__ import annotations

from typing import ClassVar

from lakehouse.core.errors import AlreadyExists, Gone, NotFound


class DataStoreError(Exception):
    """Root of the errors that are the DataStore's own. `code` is Flyte's."""

    code: ClassVar[str] = ""


class BadReference(DataStoreError):
    """A reference that is no `scheme://container/key`."""

    code = "BAD_KEY"


class BadContainer(DataStoreError):
    """A container that this store does not serve. No request was made."""

    code = "BAD_CONTAINER"


class LimitExceeded(DataStoreError):
    """An object is larger than what may be read. Nothing of it was."""

    code = "LIMIT_EXCEEDED"


def is_not_found(error: BaseException | None) -> bool:
    """Whether an object or a container is not there."""
    return isinstance(error, NotFound | Gone | BadContainer | FileNotFoundError)


def is_exists(error: BaseException | None) -> bool:
    """Whether something is there already."""
    return isinstance(error, AlreadyExists | FileExistsError)


def is_exceeds_limit(error: BaseException | None) -> bool:
    """Whether an object is larger than what may be read."""
    return getattr(error, "code", "") == LimitExceeded.code
