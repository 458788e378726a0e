# SPDX-License-Identifier: Apache-2.0
"""What clients of other systems see: their interfaces, over repositories of the lake."""
