# SPDX-License-Identifier: Apache-2.0
"""The platform of neuro Buckets: buckets are plain repositories, and their blobs are reached on the S3 side."""
