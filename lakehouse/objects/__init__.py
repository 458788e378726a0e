# SPDX-License-Identifier: Apache-2.0
"""The object store: port, adapters, addresses and presigned URLs."""
