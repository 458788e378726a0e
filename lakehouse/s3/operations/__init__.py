# SPDX-License-Identifier: Apache-2.0
"""One file per S3 operation, named as the operation. Each takes the context and the request, and gives an answer."""
