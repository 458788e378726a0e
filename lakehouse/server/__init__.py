# SPDX-License-Identifier: Apache-2.0
"""The running server: what is put together, started, watched and stopped."""
