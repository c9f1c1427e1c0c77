"""How does a finished study reach a bucket, and what can be read of it there?

Each of its finished comparisons is published as a run of its own, below the study's prefix, so that
``open_run`` and ``status`` take it there; the rest lies beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from ptyrun.comparison.published import Published, PublishedFile
from ptyrun.comparison.run import Run
from ptyrun.door.published import PublishedRun
from ptyrun.errors import DamageError
from ptyrun.host.bucket import Bucket
from ptyrun.host.free_place import require_free
from ptyrun.host.typed_json import parse_object
from ptyrun.progress import Watcher
from ptyrun.stages.publish import publish, settle
from ptyrun.stages.status import status
from ptyrun.study.files import HubFiles
from ptyrun.study.pack import described, require_finished
from ptyrun.study.plan import Study, graph
from ptyrun.study.state import survey
from ptyrun.study.telling import status_document
from ptyrun.texts import one_line

_RUN = Run(Path()).paths
_SHOWN = {".html", ".png", ".svg", ".pdf", ".md", ".csv", ".tex", ".txt", ".json"}


def publish_study(study: Study, url: str, *, overwrite: bool = False, watcher: Watcher) -> str:
    """Copy a finished study into a bucket; give the place.

    Raises
    ------
    UsageError
        If the study is not complete, or something else was published there.
    BlockedError
        If one of the ten checks of its comparisons fails.
    BusyError
        If a session works on the hub.
    StorageError
        If the bucket refuses something; ``published.json`` is then not there.
    """
    require_finished(study)
    root, bucket = study.hub.root, Bucket(url)
    hub = HubFiles.of(root)
    runs = [run for run in _runs(each.name for each in hub.all()) if _is_shown(root / run)]
    # Files of runs are read, and checked, when the run is published.
    beside = described(hub, lambda name: _owner(name, runs) is None)
    files = {each.name: PublishedFile(each.n_bytes, each.sha256) for each in beside}
    places = {name: root / name for name in files}
    for run in runs:
        there = f"{bucket.url}/{run}"
        publish(
            root / run, there, status(root / run).to_json(), overwrite=overwrite, watcher=watcher
        )
        below = Published.read(Bucket(there)).files
        files |= {f"{run}/{name}": file for name, file in below.items()}
    text = json.dumps(status_document(study, survey(graph(study))))
    settle(bucket, Published("", text, files), places, overwrite=overwrite, watcher=watcher)
    return bucket.url


def _runs(names: Iterable[str]) -> list[str]:
    """Folders below a hub that hold the plan and the results of a run."""
    known = {*map(PurePosixPath, names)}
    planned = (path.parent for path in known if path.name == _RUN.manifest.name)
    return sorted(str(folder) for folder in planned if folder / _RUN.results.name in known)


def _is_shown(folder: Path) -> bool:
    return Run(folder).paths.report.is_dir()


def _owner(name: str, runs: Iterable[str]) -> str | None:
    return next((run for run in runs if name.startswith(f"{run}/")), None)


class PublishedStudy:
    """A finished study in a bucket.

    Attributes
    ----------
    url : str
        ``s3://BUCKET/PREFIX``.
    """

    def __init__(self, bucket: Bucket, published: Published) -> None:
        self._bucket, self._published = bucket, published
        self.url = bucket.url

    @property
    def status(self) -> dict[str, Any]:
        """What ``ptyrun study status --json`` said of it when it was published.

        Raises
        ------
        DamageError
            If that is not the status of a study.
        """
        try:
            document = parse_object(self._published.status)
            if not isinstance(document["stages"], dict):
                raise ValueError("its stages are not listed")
        except (ValueError, KeyError) as error:
            raise DamageError(
                f"the status in {self.url} cannot be read",
                why=str(error),
                do="publish the study again with --overwrite",
            ) from error
        return document

    def as_text(self) -> str:
        """Say the same to people, with the places of its runs."""
        status = self.status
        lines = [f"study {one_line(str(status.get('study')))} in {self.url}"]
        lines += [f"  {one_line(str(key))}" for key in status["stages"]]
        return "\n".join([*lines, "its runs:", *(f"  {one_line(run)}" for run in self.runs)])

    @property
    def runs(self) -> list[str]:
        """Places of its runs, which `ptyrun.open_run` takes."""
        return [f"{self.url}/{run}" for run in _runs(self._published.files)]

    def report(self, folder: Path) -> Path:
        """Fetch pages, tables and pictures into *folder*, every byte checked, and give it.

        Raises
        ------
        UsageError
            If something stands there.
        """
        require_free(folder)
        runs = _runs(self._published.files)
        shown = {
            name: name
            for name in self._published.files
            if PurePosixPath(name).suffix in _SHOWN and self._is_of_report(name, runs)
        }
        self._published.fetch_all(self._bucket, shown, folder)
        return folder

    @staticmethod
    def _is_of_report(name: str, runs: list[str]) -> bool:
        run = _owner(name, runs)
        return run is None or name.startswith(f"{run}/{_RUN.report.name}/")


def published_at(url: str) -> PublishedRun | PublishedStudy:
    """Open what was published at *url*.

    Raises
    ------
    InputError
        If nothing was published there.
    StorageError
        If the bucket does not answer.
    """
    bucket = Bucket(url)
    published = Published.read(bucket)
    if published.is_study:
        return PublishedStudy(bucket, published)
    return PublishedRun(url, published)
