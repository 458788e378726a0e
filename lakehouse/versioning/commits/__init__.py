# SPDX-License-Identifier: Apache-2.0
"""What moves a branch's head: commits, merges, reverts and picks, resets, one after the other."""
