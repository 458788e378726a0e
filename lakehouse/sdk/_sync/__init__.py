# SPDX-License-Identifier: Apache-2.0
"""The synchronous client, made from `_async` by `lakehouse.sdk.generate`. Not to be edited."""
