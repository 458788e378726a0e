# SPDX-License-Identifier: Apache-2.0
# environment: apolo
# checks: neuro_checks
"""Buckets by the client that is developed today."""

import checks
from neuro_checks import *  # noqa: F403

if __name__ == "__main__":
    checks.run(globals())
