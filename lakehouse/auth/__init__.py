# SPDX-License-Identifier: Apache-2.0
"""Who is asking, and what they may do: keys, credentials, tokens, the first user."""
