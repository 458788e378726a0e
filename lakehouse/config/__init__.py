# SPDX-License-Identifier: Apache-2.0
"""The settings: what there is (`model`), where values come from (`load`), how they are described (`describe`)."""
