# SPDX-License-Identifier: Apache-2.0
"""Hooks written in Lua: each script runs in a process of its own that can do nothing but compute and ask its parent."""
