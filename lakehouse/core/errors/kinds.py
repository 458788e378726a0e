# SPDX-License-Identifier: Apache-2.0
"""The root of all errors, and their twelve kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from typing import Self


class LakehouseError(Exception):
    """Root of the tree. `code` is stable and is what SDKs rebuild the class from."""

    code: ClassVar[str] = "internal"
    default: ClassVar[str] = "internal error"

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")

    def __init__(self, message: str | None = None) -> None:
        super().__init__(self.default if message is None else message)

    @property
    def message(self) -> str:
        return str(self.args[0])

    def within(self, where: str) -> Self:
        """The same error, whose message now begins with where it happened: which item of many."""
        self.args = (f"{where}: {self.message}", *self.args[1:])
        return self


class InvalidArgument(LakehouseError):
    default = "invalid value: validation error"


class Unauthenticated(LakehouseError):
    default = "error authenticating request"


class PermissionDenied(LakehouseError):
    default = "forbidden"


class NotFound(LakehouseError):
    default = "not found"


class AlreadyExists(LakehouseError):
    default = "not unique"


class Conflict(LakehouseError):
    default = "conflict found"


class Gone(LakehouseError):
    default = "resource expired"


class FailedPrecondition(LakehouseError):
    default = "Precondition failed"


class RangeNotSatisfiable(LakehouseError):
    """`size` is the size of the object in bytes, or None when the range itself could not be read."""

    default = "Requested Range Not Satisfiable"

    def __init__(self, message: str | None = None, *, size: int | None = None) -> None:
        super().__init__(message)
        self.size = size


class Exhausted(LakehouseError):
    default = "Too many attempts, try again later"


class Unsupported(LakehouseError):
    default = "Not Implemented"


class Unavailable(LakehouseError):
    default = "Throughput exceeded. Slow down and retry"


KINDS: tuple[type[LakehouseError], ...] = (
    InvalidArgument,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    AlreadyExists,
    Conflict,
    Gone,
    FailedPrecondition,
    RangeNotSatisfiable,
    Exhausted,
    Unsupported,
    Unavailable,
)
