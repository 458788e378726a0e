# SPDX-License-Identifier: Apache-2.0
"""The DataStore: the methods of Flyte's, with PEP 8 names, and its own names as aliases.

There is a base container; others are loaded when they are asked for, if that is switched on, and remembered in a map.
Go's `(value, error)` is a value or an exception.
"""

from __future__ import annotations

import io
import threading
import time
from typing import TYPE_CHECKING

from lakehouse.core.errors import Gone, InvalidArgument, NotFound, RepositoryNotFound
from lakehouse.sdk.context import Context, check
from lakehouse.sdk.datastore import container as containers
from lakehouse.sdk.datastore.errors import BadContainer, LimitExceeded
from lakehouse.sdk.datastore.location import Location, LocationID
from lakehouse.sdk.datastore.measured import Measured
from lakehouse.sdk.datastore.reference import DataReference, parse_reference, reference_to
from lakehouse.sdk.datastore.signing import signed_url
from lakehouse.sdk.datastore.streams import ObjectStream, Source, body_of
from lakehouse.sdk.datastore.values import (
    AT_END,
    Cursor,
    Metadata,
    Options,
    SignedURLProperties,
    SignedURLResponse,
    URLScope,
    cursor_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from lakehouse.sdk._sync.client import Client
    from lakehouse.sdk.datastore.container import Container

References = list[DataReference]
Keys = list[str]
PAGE = 1000
DEFAULT_TYPE = "application/octet-stream"
MD5_KEY = "flytecontentmd5"
META = "X-Amz-Meta-"
"""What metadata of S3 clients begins with, as the REST API names it."""
MOST_SECONDS = 604_800
"""Longest life of a signed URL: seven days."""


class DataStore:
    """Objects in the containers of one or several locations. Several threads may use it.

    `container` is the base container. `enable_multicontainer`: others are served, too. `max_download_mbs`: largest
    object that `read_raw` gives, in MiB; 0 is any. Of `locations` only MAIN must be there.
    """

    def __init__(
        self,
        container: str,
        locations: Mapping[LocationID, Location],
        *,
        enable_multicontainer: bool = False,
        max_download_mbs: int = 2,
        measured: Measured | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises InvalidArgument. No request is made."""
        if LocationID.MAIN not in locations:
            raise InvalidArgument("locations: the MAIN one is missing")
        self._base = container
        self._locations = dict(locations)
        self._multi = enable_multicontainer
        self._limit = max_download_mbs * 1024 * 1024
        self._clock = clock
        self._loaded: dict[tuple[LocationID, str], Container] = {}
        self._lock = threading.Lock()
        self.measured = measured or Measured()

    def __enter__(self) -> DataStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        for location in self._locations.values():
            location.close()

    # -- containers ----------------------------------------------------------------------------------------------------

    def create_container(self, ctx: Context | None, container: str) -> Container:
        """Make a container: a plain repository. Raises AlreadyExists; what else goes wrong, in the server's words."""
        return self.create_container_at(ctx, LocationID.MAIN, container)

    def create_container_at(self, ctx: Context | None, loc_id: LocationID, container: str) -> Container:
        """The same at one location."""
        check(ctx)
        return self._remember(loc_id, containers.create(self._client(loc_id), container))

    def load_container(self, ctx: Context | None, container: str, create_if_not_found: bool) -> Container:
        """A container that is there, or is made if that is asked for. Raises NotFound."""
        return self.load_container_at(ctx, LocationID.MAIN, container, create_if_not_found)

    def load_container_at(
        self, ctx: Context | None, loc_id: LocationID, container: str, create_if_not_found: bool
    ) -> Container:
        """The same at one location."""
        check(ctx)
        client = self._client(loc_id)
        try:
            found = containers.load(client, container)
        except RepositoryNotFound:
            if not create_if_not_found:
                raise
            found = containers.create(client, container)
        return self._remember(loc_id, found)

    def get_container(self, ctx: Context | None, loc_id: LocationID, container: str) -> Container:
        """A container from the map, or else loaded. Raises NotFound, and BadContainer without a request for one that is
        not the base container, unless others are served.
        """
        if container != self._base and not self._multi:
            raise BadContainer(f"container {container!r} is not served here: enable_multicontainer is off")
        with self._lock:
            known = self._loaded.get((loc_id, container))
        return known or self.load_container_at(ctx, loc_id, container, False)

    def get_location(self, loc_id: LocationID) -> Location:
        """The configured location; the main one where there is no other. Raises InvalidArgument."""
        if loc_id not in tuple(LocationID):
            raise InvalidArgument(f"location {loc_id!r}: there is none")
        return self._locations.get(LocationID(loc_id), self._locations[LocationID.MAIN])

    def get_base_container_fqn(self, ctx: Context | None) -> DataReference:
        """`s3://<base container>`."""
        return DataReference(f"s3://{self._base}")

    # -- objects -------------------------------------------------------------------------------------------------------

    def head(self, ctx: Context | None, reference: DataReference) -> Metadata:
        """What is known of an object, without its bytes. One that is absent is no error."""
        with self.measured.call("head"):
            try:
                container, key = self._place(ctx, reference)
                if not all(container.split(key)):
                    return Metadata(exists=False)
                found = self._client().objects.stat_object(*container.place(key))
            except (NotFound, Gone):
                return Metadata(exists=False)
            words = {name.removeprefix(META).lower(): value for name, value in (found.metadata or {}).items()}
            return Metadata(
                exists=True,
                size=found.size_bytes or 0,
                etag=found.checksum,
                content_md5=words.get(MD5_KEY, ""),
            )

    def list(
        self, ctx: Context | None, reference: DataReference, max_items: int, cursor: Cursor
    ) -> tuple[References, Cursor]:
        """Up to `max_items` objects whose keys begin with the reference's, and where to go on.

        Raises InvalidArgument at the end cursor, NotFound for a container or a branch that is not there.
        """
        with self.measured.call("list"):
            if cursor.after is None:
                raise InvalidArgument("cursor: the list has ended")
            if max_items < 0:
                raise InvalidArgument("max_items: below 0")
            container, key = self._place(ctx, reference)
            keys, more = self._page(ctx, container, key, after=cursor.after, amount=max_items)
            last = cursor_at(keys[-1]) if keys and more else AT_END
            return [reference_to(container.name, one) for one in keys], last

    def read_raw(self, ctx: Context | None, reference: DataReference) -> BinaryIO:
        """An object's bytes, to be read as they come and to be closed. Raises NotFound, LimitExceeded."""
        with self.measured.call("read"):
            container, key = self._place(ctx, reference)
            repository, ref, path = container.place(key)
            if self._limit:
                size = self._client().objects.stat_object(repository, ref, path).size_bytes or 0
                if size > self._limit:
                    raise LimitExceeded(f"{reference}: {size} bytes, and no more than {self._limit} may be read")
            opened = self._client().objects.open_object(repository, ref, path)
            return io.BufferedReader(ObjectStream(opened, ctx), 256 * 1024)

    def write_raw(self, ctx: Context | None, reference: DataReference, size: int, opts: Options, raw: Source) -> None:
        """Store what `raw` gives: all of it or nothing. The base container is made if need be.

        `size` in bytes is checked against what came; below 0 it is not known. Raises InvalidArgument, NotFound.
        """
        with self.measured.call("write"):
            words = _words(opts.metadata)
            place = self._writable(ctx, reference)
            self._store(place, body_of(raw, size, ctx), size=size, content_type=opts.content_type, metadata=words)

    def copy_raw(self, ctx: Context | None, source: DataReference, destination: DataReference, opts: Options) -> None:
        """Copy an object, also to another container. What `opts` does not tell is as it was. Raises NotFound."""
        with self.measured.call("copy"):
            container, key = self._place(ctx, source)
            repository, ref, path = container.place(key)
            to_repository, branch, to_path = self._writable(ctx, destination)
            objects = self._client().objects
            if repository == to_repository and opts == Options():
                objects.copy_object(repository, branch, to_path, path, src_ref=ref)
                return
            found = objects.stat_object(repository, ref, path)
            with objects.open_object(repository, ref, path) as chunks:
                self._store(
                    (to_repository, branch, to_path),
                    _watched(chunks, ctx),
                    size=found.size_bytes or 0,
                    content_type=opts.content_type or found.content_type or "",
                    metadata=_words(opts.metadata) or found.metadata or {},
                )

    def delete(self, ctx: Context | None, reference: DataReference) -> None:
        """Delete an object: gone for readers at once; commits keep it. One that is absent is no error."""
        with self.measured.call("delete"):
            container, key = self._place(ctx, reference)
            self._client().objects.delete_object(*container.place(key))

    def create_signed_url(
        self, ctx: Context | None, reference: DataReference, properties: SignedURLProperties
    ) -> SignedURLResponse:
        """A URL that needs no credentials until it expires, also of an object that is not there yet. No request.

        Raises InvalidArgument.
        """
        with self.measured.call("sign"):
            check(ctx)
            container, key = parse_reference(reference)
            self._require_served(container)
            seconds = int(properties.expires_in.total_seconds())
            if not 0 < seconds <= MOST_SECONDS:
                raise InvalidArgument(f"expires_in: must be between 1 second and {MOST_SECONDS} seconds")
            if properties.scope not in tuple(URLScope) or not key:
                raise InvalidArgument("scope: must be GET or PUT" if key else f"{reference}: names no object")
            headers = _signed_headers(properties)
            url = signed_url(
                self.get_location(LocationID.SIGNED_URL),
                URLScope(properties.scope).name,
                f"/s3/{container}/{key}",
                headers=headers,
                seconds=seconds,
                now=self._clock(),
            )
            return SignedURLResponse(url, headers)

    CreateContainer = create_container
    createContainer = create_container_at  # noqa: N815  (the documented name)
    LoadContainer = load_container
    loadContainer = load_container_at  # noqa: N815
    getContainer = get_container  # noqa: N815
    getLocation = get_location  # noqa: N815
    GetBaseContainerFQN = get_base_container_fqn
    Head = head
    List = list  # noqa: A003
    ReadRaw = read_raw
    WriteRaw = write_raw
    CopyRaw = copy_raw
    Delete = delete
    CreateSignedURL = create_signed_url

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _client(self, loc_id: LocationID = LocationID.MAIN) -> Client:
        return self.get_location(loc_id).client

    def _remember(self, loc_id: LocationID, container: Container) -> Container:
        with self._lock:
            return self._loaded.setdefault((loc_id, container.name), container)

    def _require_served(self, container: str) -> None:
        if container != self._base and not self._multi:
            raise BadContainer(f"container {container!r} is not served here: enable_multicontainer is off")

    def _place(self, ctx: Context | None, reference: str) -> tuple[Container, str]:
        """Container and key of a reference."""
        check(ctx)
        container, key = parse_reference(reference)
        return self.get_container(ctx, LocationID.MAIN, container), key

    def _writable(self, ctx: Context | None, reference: str) -> tuple[str, str, str]:
        """Repository, branch and path of a reference; the base container is made if need be."""
        check(ctx)
        name, key = parse_reference(reference)
        try:
            container = self.get_container(ctx, LocationID.MAIN, name)
        except RepositoryNotFound:
            if name != self._base:
                raise
            container = self.load_container(ctx, name, True)
        return container.place(key)

    def _store(
        self,
        place: tuple[str, str, str],
        body: bytes | Iterator[bytes],
        *,
        size: int,
        content_type: str,
        metadata: Mapping[str, str],
    ) -> None:
        """Metadata keeps the case of its names only on the way straight to the store, and S3 clients look at that."""
        kind, client = content_type or DEFAULT_TYPE, self._client()
        if metadata:
            length = None if size < 0 else size
            client.staging.upload(*place, body, content_type=kind, metadata=metadata, size=length)
        else:
            client.objects.upload_object(*place, body, content_type=kind)

    def _page(
        self, ctx: Context | None, container: Container, key: str, *, after: str, amount: int
    ) -> tuple[Keys, bool]:
        """Up to `amount` keys behind `after`, and whether there are more."""
        ref, prefix = container.split(key)
        if not ref:
            raise InvalidArgument(f"{container.name}: keys begin with a branch: name one")
        start = container.key(ref, "")
        if after and not after.startswith(start):
            raise InvalidArgument(f"cursor: {after!r} is not of this list")
        keys: Keys = []
        behind, more = after.removeprefix(start), True
        while more and len(keys) < amount:
            check(ctx)
            page = self._client().objects.list_objects(
                container.name, ref, prefix=prefix, after=behind, amount=min(PAGE, amount - len(keys))
            )
            keys += [container.key(ref, one.path) for one in page.results]
            more = page.pagination.has_more
            behind = page.results[-1].path if page.results else behind
        return keys, more


def _watched(chunks: Iterator[bytes], ctx: Context | None) -> Iterator[bytes]:
    for chunk in chunks:
        check(ctx)
        yield chunk


def _words(metadata: Mapping[str, str]) -> Mapping[str, str]:
    """Metadata by the names under which S3 clients find it. Raises InvalidArgument."""
    if not all(isinstance(key, str) and isinstance(value, str) for key, value in metadata.items()):
        raise InvalidArgument("metadata: keys and values must be texts")
    return {META + key.lower(): value for key, value in metadata.items()}


def _signed_headers(properties: SignedURLProperties) -> dict[str, str]:
    """What must be sent with a signed URL."""
    if properties.scope != URLScope.PUT or not properties.content_md5:
        return {}
    headers = {"content-md5": properties.content_md5}
    if properties.add_content_md5_metadata:
        headers[f"x-amz-meta-{MD5_KEY}"] = properties.content_md5
    return headers
