# SPDX-License-Identifier: Apache-2.0
"""The versioning engine, in rooms: one file per operation family. Knows no wire format, no HTTP and no driver."""
