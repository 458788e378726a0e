# SPDX-License-Identifier: Apache-2.0
"""The asynchronous client. The other one is made from it: run `python -m lakehouse.sdk.generate`."""
