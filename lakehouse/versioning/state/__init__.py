# SPDX-License-Identifier: Apache-2.0
"""What one process knows of a lake beside its database: caches, turns, tasks at work, the stores."""
