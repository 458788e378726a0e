# SPDX-License-Identifier: Apache-2.0
"""The cache by gRPC, for Flyte 1 and its relatives. It needs the extra `flyte`; imported when a port is set."""
