"""What can be read of a run that lies in a bucket? Nothing is fetched but what is asked for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptyrun.comparison.published import Published
from ptyrun.errors import DamageError, NewerError, UnfinishedError, UsageError, refuse_unknown
from ptyrun.host.bucket import Bucket
from ptyrun.host.documents import schema_of
from ptyrun.host.free_place import require_free
from ptyrun.host.typed_json import UnknownFieldError, build, parse_object
from ptyrun.stages.status import Status

if TYPE_CHECKING:
    from ptyrun.door.arrays import Labelled
    from ptyrun.results import Results

_REPORT, _PAGE = "report", "index.html"


class PublishedRun:
    """A finished run in a bucket, as ``ptyrun export RUN --output s3://...`` left it.

    Parameters
    ----------
    url : str
        ``s3://BUCKET/PREFIX``.
    published : Published, optional
        What says that it was published whole, where that was read already.

    Raises
    ------
    InputError
        If no run was published there.
    StorageError
        If the bucket does not answer.
    """

    def __init__(self, url: str, published: Published | None = None) -> None:
        self._bucket = Bucket(url)
        self._published = published or Published.read(self._bucket)
        if self._published.is_study:
            raise UsageError(
                f"{self._bucket.url} is a study",
                why="it has several runs",
                do="name one of them, such as s3://BUCKET/PREFIX/analysis/dose_1000/dense/test",
            )
        self.url = self._bucket.url

    def __repr__(self) -> str:
        return f"PublishedRun({self.url!r})"

    def status(self) -> Status:
        """Say how far it was when it was published: complete.

        Raises
        ------
        NewerError
            If a newer ptyrun published it.
        """
        name = f"the status in {self.url}"
        try:
            document = parse_object(self._published.status)
            if (schema := schema_of(document)) > Status.SCHEMA:
                raise NewerError.of(name, schema, Status.SCHEMA)
            del document["schema"]
            return build(Status, document)
        except UnknownFieldError as error:
            raise NewerError.because(name, error) from error
        except ValueError as error:
            raise DamageError(
                f"{name} cannot be read",
                why=str(error),
                do="publish the run again with --overwrite",
            ) from error

    @cached_property
    def results(self) -> Results:
        """What was found; see `ptyrun.results.Results`."""
        from ptyrun.results import Results

        return Results.from_json(self._published.fetch(self._bucket, "results.json").decode())

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of what is compared."""
        return tuple(self.results.arms)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Every figure of every arm, one a row; columns as those of `ptyrun.Run.metrics`."""
        from ptyrun.report.long_table import metrics_csv, read

        return read(metrics_csv(self.results))

    def object(self, arm: str) -> Labelled:
        """Give an arm's object, (H, W) complex64 with ``y`` and ``x`` in object pixels."""
        return self._image(arm, "object")

    def coverage(self, arm: str) -> Labelled:
        """Say how many patches cover each pixel of an arm's object, (H, W)."""
        return self._image(arm, "coverage")

    def patches(self, arm: str) -> Labelled:
        """Give an arm's patches, (G, N, N) complex64; chunks are fetched when they are sliced."""
        from ptyrun.door.arrays import Labelled

        place = f"arrays.zarr/{self._known(arm)}/patches"
        if not self._published.below(place):
            raise UsageError(
                f"arm {arm!r} has no patches here",
                why="it is a finished reconstruction, or its patches were pruned",
                do="take its object",
            )
        return Labelled(self._array(place), ("group", "y", "x"), {}, {"units": "1"})

    def report(self, folder: Path) -> Path:
        """Fetch the report page into *folder*, every byte checked; give its path.

        Raises
        ------
        UsageError
            If something stands there.
        """
        names = self._published.below(_REPORT)
        require_free(folder)
        places = {name: name.removeprefix(f"{_REPORT}/") for name in names}
        self._published.fetch_all(self._bucket, places, folder)
        return folder / _PAGE

    def _known(self, arm: str) -> str:
        refuse_unknown([arm], self.arms, "there is no arm {}")
        return arm

    def _image(self, arm: str, name: str) -> Labelled:
        from ptyrun.door.arrays import Labelled

        place = f"objects.zarr/{self._known(arm)}"
        if not self._published.below(f"{place}/{name}"):
            raise UnfinishedError(
                f"the results have no {name} of arm {arm!r}",
                why="they were published without it",
                do="finalize the run again, and publish it with --overwrite",
            )
        values = self._array(f"{place}/{name}")[...]
        axes = {
            axis: self._array(f"{place}/{axis}")[...]
            for axis in ("y", "x")
            if self._published.below(f"{place}/{axis}")
        }
        return Labelled(values, ("y", "x"), axes, {"units": "1"})

    def _array(self, path: str) -> Any:
        import zarr

        # Each chunk carries a checksum of its own, which Zarr compares.
        return zarr.open_array(self._bucket.zarr_store(), path=path, mode="r")
