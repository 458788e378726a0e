# SPDX-License-Identifier: Apache-2.0
"""Garbage collection: retention rules, what is still needed, and the deletion of what is not."""
