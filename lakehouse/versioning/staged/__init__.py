# SPDX-License-Identifier: Apache-2.0
"""What is staged on a branch: its rows as one stream, and the tree that they make of its head."""
