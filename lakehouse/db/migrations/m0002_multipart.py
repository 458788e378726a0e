# SPDX-License-Identifier: Apache-2.0
"""Schema 2: uploads in parts to paths of branches that are not finished.

`key` is what the client calls the object (`branch/path`); the bytes go to `address` of the repository's namespace,
under the store's own upload id `store_id`, which holds the parts. `created` in seconds.
"""

from __future__ import annotations

NAME = "0002_multipart"

DDL = (
    """create table uploads (
        repository {int} not null,
        key {blob} not null,
        id {text} not null,
        address {text} not null,
        store_id {text} not null,
        content_type {text} not null,
        metadata {text} not null,
        created {int} not null,
        primary key (repository, key, id)
    ) {clustered}""",
    "create index uploads_id on uploads (id)",
)
