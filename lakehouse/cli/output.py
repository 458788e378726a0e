# SPDX-License-Identifier: Apache-2.0
"""What commands print: an access key pair, and the first words of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakehouse.core.records import Credentials
    from lakehouse.server.start import FirstStart


def as_pair(pair: Credentials) -> str:
    """The two lines that hold an access key pair."""
    return f"  access key id      {pair.access_key_id}\n  secret access key  {pair.secret_access_key}"


def welcome(url: str, *, data: str, start: FirstStart) -> str:
    """What `serve` prints when it can answer: where it listens, who may come in, and what to try next."""
    parts = [f"lakehouse is listening on {url}  (data in {data})"]
    if start.credentials is not None:
        parts += [_first_credentials(start.credentials), _first_steps(url, start.credentials)]
    elif start.setup_token is not None:
        parts.append(
            "There is no user yet: run `lakehouse setup` beside the data, or\n"
            f"  curl {url}/api/v1/setup_lakefs -H 'Content-Type: application/json' -d '{{\"username\": \"admin\"}}'\n"
            f"From another machine, add  -H 'X-Lakehouse-Setup-Token: {start.setup_token}'"
        )
    else:
        parts.append(f"Try: curl {url}/api/v1/healthcheck -i")
    return "\n\n".join(parts) + "\n\nCtrl-C stops it."


def _first_credentials(pair: Credentials) -> str:
    return (
        f"The user {pair.user.name} was made for you. Keep this access key pair: once you have used it, it is not shown"
        f" again.\n\n{as_pair(pair)}"
    )


def _first_steps(url: str, pair: Credentials) -> str:
    return f"""Try next, in another terminal:

  export KEY='{pair.access_key_id}:{pair.secret_access_key}'
  curl -u "$KEY" {url}/api/v1/user
  curl -u "$KEY" {url}/api/v1/repositories -H 'Content-Type: application/json' -d '{{"name": "my-lake"}}'
  curl -u "$KEY" '{url}/api/v1/repositories/my-lake/branches/main/objects?path=hello.txt' --data-binary 'hello'

or with the Python package `lakefs`:

  import lakefs
  from lakefs.client import Client
  client = Client(host="{url}", username="{pair.access_key_id}", password="{pair.secret_access_key}")
  print([branch.id for branch in lakefs.repository("my-lake", client=client).branches()])"""
