# SPDX-License-Identifier: Apache-2.0
"""The REST protocol as values: every operation with its types, declared once. One file per tag, `table` collects them.

Server handlers, router, validation, permissions, the OpenAPI document and the SDK are all bound to these declarations.
"""
