# SPDX-License-Identifier: Apache-2.0
"""The program: `lakehouse`, or `python -m lakehouse`."""

from __future__ import annotations

from lakehouse.cli.main import run


def main() -> None:
    """Run the command line and leave with its exit code."""
    run()


if __name__ == "__main__":
    main()
