# SPDX-License-Identifier: Apache-2.0
"""Rows of the metadata database as records: one file per table family, statements out, records in."""
