"""How are objects put into a bucket, and read from one? S3 and what speaks its language."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ptyrun.errors import InputError, StorageError, UsageError
from ptyrun.texts import one_line

SCHEME = "s3://"
_MOST_SAID = 300
_NO_BUCKET = "NoSuchBucket"


def is_bucket(place: object) -> bool:
    """Whether *place* names objects in a bucket, not a path.

    Examples
    --------
    >>> is_bucket("s3://results/run"), is_bucket("results/run")
    (True, False)
    """
    return isinstance(place, str) and place.startswith(SCHEME)


class Bucket:
    """Objects whose names begin with one prefix.

    Parameters
    ----------
    url : str
        ``s3://BUCKET/PREFIX``. Keys, region and endpoint are those of the environment
        (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``).

    Raises
    ------
    UsageError
        If that is no such URL, or obstore is not installed.
    """

    def __init__(self, url: str) -> None:
        name, _, prefix = url.removeprefix(SCHEME).partition("/")
        if not is_bucket(url) or not name or not prefix.strip("/"):
            raise UsageError(
                f"{one_line(url)} is not a place in a bucket",
                why="it takes a bucket and a prefix of its own",
                do="give s3://BUCKET/PREFIX",
            )
        try:
            from obstore import store
        except ImportError as error:
            raise UsageError(
                f"{one_line(url)} cannot be reached",
                why=str(error),
                do="pip install 'ptyrun[s3]'",
            ) from error
        self.url = url.rstrip("/")
        with self._explained(""):
            # An endpoint without TLS is one that somebody named in the environment.
            self._store = store.from_url(self.url, client_options={"allow_http": True})

    def put(self, name: str, content: bytes | Path) -> None:
        """Put an object there, all or nothing; one of this name is replaced.

        Raises
        ------
        StorageError
            If the bucket refuses it, or does not answer.
        """
        import obstore

        with self._explained(name):
            obstore.put(self._store, name, content)

    def get(self, name: str, most_bytes: int) -> bytes:
        """Read an object of at most *most_bytes*.

        Raises
        ------
        InputError
            If there is none, or it is larger.
        StorageError
            If the bucket does not answer.
        """
        import obstore

        with self._explained(name):
            found = obstore.get(self._store, name)
            size = found.meta["size"]
            if size <= most_bytes:
                return bytes(found.bytes())
        raise InputError(
            f"{self.url}/{name} is too large",
            why=f"it has {size} bytes, and {most_bytes} are the most",
            do="give the place of a run that `ptyrun export` published",
        )

    def delete(self, name: str) -> None:
        """Delete an object, if it is there."""
        import obstore

        with self._explained(name):
            obstore.delete(self._store, name)

    def zarr_store(self) -> Any:
        """Give a store for Zarr, which reads the chunks that are sliced."""
        from zarr.storage import ObjectStore

        from ptyrun.host import zarr_loop

        zarr_loop.end_at_exit()
        return ObjectStore(self._store, read_only=True)

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        place = f"{self.url}/{name}" if name else self.url
        try:
            yield
        except FileNotFoundError as error:
            raise InputError(
                f"{place} is not there",
                why="there is no such bucket"
                if _NO_BUCKET in str(error)
                else "the bucket has no such object",
                do="correct the place; `ptyrun export RUN --output s3://...` publishes a run",
            ) from error
        except Exception as error:
            if not (isinstance(error, OSError) or type(error).__module__.startswith("obstore")):
                raise
            raise StorageError(
                f"{place} cannot be reached",
                why=_said(error),
                do="see AWS_ENDPOINT_URL, AWS_REGION and the keys in the environment, and the "
                "rights that they give; then give this command again",
            ) from error


def _said(error: Exception) -> str:
    """Give the words of an error without what helps only who wrote the library."""
    words = str(error).partition("\n\nDebug source:")[0].strip()
    return one_line(words)[:_MOST_SAID] or type(error).__name__
