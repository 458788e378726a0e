# SPDX-License-Identifier: Apache-2.0
"""Objects on refs: addresses and links, uploads, reading, listing, copies."""
