# SPDX-License-Identifier: Apache-2.0
"""The cache of task outputs that Flyte's clients speak to, by REST, Connect and gRPC."""
