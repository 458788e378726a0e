# SPDX-License-Identifier: Apache-2.0
"""Every error has a status for the storage client, and none of what fails for good makes it try again."""

from __future__ import annotations

import pytest

from lakehouse.core import errors
from lakehouse.core.errors import KINDS, LakehouseError
from lakehouse.facades.kv.errors import HIDDEN, STATUSES, error_response, status_of

REPEATED = {500, 502, 503, 504}
"""What the client sends again by itself."""
PASSING = {errors.Unavailable, errors.DatabaseUnavailable, errors.OutcomeUnknown, errors.StorageUnavailable}


def every() -> list[type[LakehouseError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, tuple(KINDS))]


@pytest.mark.parametrize("kind", every(), ids=lambda kind: kind.__name__)
def test_every_error_is_mapped(kind) -> None:
    status = status_of(kind)
    assert (status in REPEATED) is (kind in PASSING)
    response = error_response(kind(message="what is wrong"), None)
    assert (response.status, response.body) == (status, b"what is wrong")
    headers = dict(response.headers)
    assert headers[b"content-type"].startswith(b"text/plain")
    assert (b"retry-after" in headers) is (status in {429, 503})


def test_kinds_are_complete() -> None:
    assert set(KINDS) <= set(STATUSES)
    assert status_of(LakehouseError) == HIDDEN


def test_a_connection_with_a_bad_body_is_not_used_again() -> None:
    assert (b"connection", b"close") in error_response(errors.IncompleteBody(), None).headers
