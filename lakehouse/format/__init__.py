# SPDX-License-Identifier: Apache-2.0
"""The bytes of everything that is kept for ever: nodes, entries, commits. Pure: bytes in, values out."""
