# SPDX-License-Identifier: Apache-2.0
"""Schema 12: pages of what was staged by the thousand.

`body` holds `paths` paths and their values, ascending; `first` is the first of the paths. Pages of a token do not
overlap. `token` is as in `staged`; a token has rows there or pages here.
"""

from __future__ import annotations

NAME = "0012_staged_pages"

DDL = (
    """create table staged_pages (
        token {int} not null,
        first {blob} not null,
        paths {int} not null,
        body {blob} not null,
        primary key (token, first)
    ) {clustered}""",
)
