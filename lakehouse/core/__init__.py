# SPDX-License-Identifier: Apache-2.0
"""Vocabulary of the whole program: ids, records, errors, refs, paths, time. Imports nothing of ours."""
