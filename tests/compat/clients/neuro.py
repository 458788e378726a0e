# SPDX-License-Identifier: Apache-2.0
# environment: neuro
# checks: neuro_checks
# deep
"""Buckets by the client of 2025, which knows organizations and projects."""

import checks
from neuro_checks import *  # noqa: F403

if __name__ == "__main__":
    checks.run(globals())
