# SPDX-License-Identifier: Apache-2.0
"""Pull requests: merges that are proposed, reviewed and checked."""
