# SPDX-License-Identifier: Apache-2.0
"""The S3 side: signed requests on buckets of the embedded store."""
