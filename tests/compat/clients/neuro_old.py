# SPDX-License-Identifier: Apache-2.0
# environment: neuro_old
# checks: neuro_checks
# deep
"""Buckets by the client of 2023, which knows owners: its interface is the documented one."""

import checks
from neuro_checks import *  # noqa: F403

if __name__ == "__main__":
    checks.run(globals())
