# SPDX-License-Identifier: Apache-2.0
"""Hooks: the files in a repository that say who is asked before something happens and told afterwards."""
