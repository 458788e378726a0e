# SPDX-License-Identifier: Apache-2.0
"""SQLite on this machine: connections, the turnstile between processes, and the writer thread."""
