# SPDX-License-Identifier: Apache-2.0
"""The REST surface's machinery: router, validation, authorization order, bodies and answers. Knows no operation."""
