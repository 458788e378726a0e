# SPDX-License-Identifier: Apache-2.0
"""The metadata database: port, statements and adapters."""
