# SPDX-License-Identifier: Apache-2.0
"""The interfaces of other systems' clients, over repositories of the lake. They do not know each other."""
