"""A name and bytes in, an object that is kept out: a folder, or a bucket of an S3-like service."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from obstore.exceptions import BaseError
from obstore.store import MemoryStore, ObjectStore, from_url


class StorageUnavailable(OSError):  # noqa: N818 - a state of the world
    """The object storage does not answer, or not as it should. Nothing was done; try again."""


class Objects:
    """Bytes by name. What the storage does to us is raised as `StorageUnavailable`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, name: str, data: bytes) -> None:
        """Whole or not at all; in the place of what was there."""
        try:
            # In parts, what is cut off would leave parts behind that nobody lists or pays heed to.
            await self._store.put_async(name, data, use_multipart=False)
        except BaseError as failure:
            raise StorageUnavailable(type(failure).__name__) from failure

    async def get(self, name: str) -> bytes | None:
        """None if there is no such object."""
        try:
            found = await self._store.get_async(name)
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except BaseError as failure:
            raise StorageUnavailable(type(failure).__name__) from failure

    async def delete(self, names: Iterable[str]) -> None:
        """Those that are there."""
        for name in names:
            try:
                await self._store.delete_async(name)
            except FileNotFoundError:
                continue
            except BaseError as failure:
                raise StorageUnavailable(type(failure).__name__) from failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A key to a bucket."""

    key_id: str
    secret: str = field(repr=False)


def objects_at(url: str, access: Access | None = None) -> Objects:
    """`file:///…` (the folder is made) or `s3://bucket/prefix`, whose region and endpoint are in
    AWS_*, as is what lets us in if `access` does not.

    `memory:///` is gone with the process; a folder is of use to the processes that share it.
    """
    if url == "memory:///":
        return Objects(MemoryStore())
    if url.startswith("file:///"):
        return Objects(from_url(url, mkdir=True))
    if access is None:
        return Objects(from_url(url))
    return Objects(from_url(url, access_key_id=access.key_id, secret_access_key=access.secret))
