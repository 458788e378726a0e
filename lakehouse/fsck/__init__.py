# SPDX-License-Identifier: Apache-2.0
"""Checks a lake from its refs down to the bytes of its objects, and changes nothing."""
