# SPDX-License-Identifier: Apache-2.0
"""What commits tell: logs, versions and blame of paths, differences, conflicts."""
