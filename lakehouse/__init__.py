# SPDX-License-Identifier: Apache-2.0
"""lakehouse: a Git-like versioned data lake server."""

from lakehouse._version import __version__

__all__ = ["__version__"]
