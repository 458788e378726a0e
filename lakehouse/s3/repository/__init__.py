# SPDX-License-Identifier: Apache-2.0
"""Repositories as buckets: one file per S3 operation. Keys are `ref/path`."""
