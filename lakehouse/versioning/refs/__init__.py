# SPDX-License-Identifier: Apache-2.0
"""Repositories, their branches and tags."""
