# SPDX-License-Identifier: Apache-2.0
"""Work that outlives the request that asked for it: imports, dumps, restores, sweeps."""
