# SPDX-License-Identifier: Apache-2.0
"""Handlers of the REST operations: one file per tag of the wire, one function per operation, of the same name."""
