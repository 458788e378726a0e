# SPDX-License-Identifier: Apache-2.0
"""Why the server cannot start."""

from __future__ import annotations


class StartupError(Exception):
    """The server cannot start; the message says why and what to do."""


class DataTooNew(StartupError):
    """The data directory or database was made by a newer version of this program."""


class PortInUse(StartupError):
    """Another process listens there."""


class BadConfiguration(StartupError):
    """A setting is unknown, malformed or contradicts another."""
