# SPDX-License-Identifier: Apache-2.0
"""Requests that no library would send: signed by hand, and sent byte by byte."""

from __future__ import annotations

import hashlib
import socket
import time
from typing import NamedTuple

from lakehouse.core.sigv4 import Scope, sign_headers, signature
from tests.s3.lake import KEY, SECRET


class Raw(NamedTuple):
    """An answer."""

    status: int
    code: str
    text: str


def signed_headers(endpoint, method, path, *, key=KEY, secret=SECRET, now=None, payload="UNSIGNED-PAYLOAD", query=(),
                   **more) -> dict[str, str]:  # fmt: skip
    """Headers of a signed request; names in `more` with `_` for `-`."""
    headers = {"host": endpoint.removeprefix("http://"), **{name.replace("_", "-"): more[name] for name in more}}
    added = sign_headers(
        method, path=path.encode(), headers=headers, access_key_id=key, secret=secret, region="anywhere",
        now=time.time() if now is None else now, payload=payload, query=query,
    )  # fmt: skip
    return {**headers, **added}


def send(endpoint, method, target, headers, body=b"", *, length=None) -> Raw:
    """Send it as it stands, close the sending side, and read until the server closes."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    lines += [] if "transfer-encoding" in headers else [f"content-length: {len(body) if length is None else length}"]
    host, _, port = endpoint.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "connection: close", "", ""]).encode() + body)
        found = b""
        try:
            if length is not None and length > len(body):
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                found += chunk
        except ConnectionResetError:
            pass
    text = found.decode("utf-8", "replace")
    status = int(text.split(" ", 2)[1]) if text else 0
    return Raw(status, text.partition("<Code>")[2].partition("</Code>")[0], text)


def signed_chunks(pieces, *, key: bytes, stamp: str, scope: Scope, seed: str, trailer=None) -> bytes:
    """A body in the chunked encoding; the last piece is empty. `trailer`: name and value, signed too."""
    empty = hashlib.sha256().hexdigest()
    previous, body = seed, b""
    for piece in pieces:
        digest = hashlib.sha256(piece).hexdigest()
        previous = signature(key, f"AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{previous}\n{empty}\n{digest}")
        end = b"\r\n" if piece or trailer is None else b""
        body += b"%x;chunk-signature=%s\r\n%s%s" % (len(piece), previous.encode(), piece, end)
    if trailer is None:
        return body
    line = f"{trailer[0]}:{trailer[1]}\n"
    digest = hashlib.sha256(line.encode()).hexdigest()
    last = signature(key, f"AWS4-HMAC-SHA256-TRAILER\n{stamp}\n{scope}\n{previous}\n{digest}")
    return body + f"{line.strip()}\r\nx-amz-trailer-signature:{last}\r\n\r\n".encode()
