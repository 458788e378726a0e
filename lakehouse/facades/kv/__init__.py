# SPDX-License-Identifier: Apache-2.0
"""Descartes Labs Storage: values by key and storage type, for each account, as its published client speaks it."""
