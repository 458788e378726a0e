# SPDX-License-Identifier: Apache-2.0
"""Schema 6: key pairs that are narrowed to some repositories.

`scope` is JSON statements, as policies have them; "" narrows nothing.
"""

from __future__ import annotations

NAME = "0006_scoped_keys"

DDL = ("alter table credentials add column scope {text} not null default ''",)
