# SPDX-License-Identifier: Apache-2.0
"""Trees of entries: one immutable, content-addressed, history-independent B-tree per commit."""
