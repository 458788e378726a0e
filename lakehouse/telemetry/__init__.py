# SPDX-License-Identifier: Apache-2.0
"""What the program tells about itself while it runs."""
