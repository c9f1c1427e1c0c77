"""How does a finished run reach a bucket? Every file, and then the one that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ptyrun.comparison.finished import FinishedRun
from ptyrun.comparison.published import Published, PublishedFile
from ptyrun.comparison.run import Run
from ptyrun.comparison.wholeness import require_whole
from ptyrun.errors import InputError, SchemaError, UnfinishedError, UsageError
from ptyrun.host import checksums, listing
from ptyrun.host.bucket import Bucket
from ptyrun.host.durable import PARTIAL
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT, Watcher

_AT_ONCE = 8
_STEP = "publish"


def publish(
    run_dir: Path, url: str, status: str, *, overwrite: bool = False, watcher: Watcher = SILENT
) -> str:
    """Copy a finished run into a bucket.

    Parameters
    ----------
    run_dir : Path
        Its results and report are there.
    url : str
        ``s3://BUCKET/PREFIX``.
    status : str
        What ``ptyrun status --json`` says of it.
    overwrite : bool
        Whether another run that was published there may be replaced.
    watcher : Watcher

    Returns
    -------
    str
        The place.

    Raises
    ------
    UnfinishedError
        If the run is not finalized, or has no report.
    UsageError
        If another run was published there.
    StorageError
        If the bucket refuses something; ``published.json`` is then not there.
    """
    run = FinishedRun.open(Run(run_dir))
    if not run.paths.report.exists():
        raise UnfinishedError(
            f"{run_dir} has no report yet",
            why="a run is published with the page that shows it",
            do="run `ptyrun report` first",
        )
    bucket = Bucket(url)
    require_whole(run.run, "only what is whole is published", watcher=watcher)
    names = {path.relative_to(run_dir).as_posix(): path for path in _files(run.paths)}
    files = {name: _described(path) for name, path in names.items()}
    wanted = Published(run.manifest.digest, status, files)
    # The file that others take for the sign of a complete run comes after what it vouches for.
    settle(
        bucket, wanted, names, overwrite=overwrite, watcher=watcher, last=run.paths.completion.name
    )
    return bucket.url


def settle(
    bucket: Bucket,
    wanted: Published,
    files: Mapping[str, Path],
    *,
    overwrite: bool,
    watcher: Watcher,
    last: str = "",
) -> None:
    """Put *files* there, *last* after the others, and then what says that all of it is there.

    Raises
    ------
    UsageError
        If something else was published there, and is not to be replaced.
    StorageError
        As `Bucket.put`.
    """
    before = _before(bucket, overwrite=overwrite)
    if before == wanted:
        return
    if before is not None and not overwrite:
        raise UsageError(
            f"something else was published at {bucket.url}",
            why=_difference(before, wanted),
            do="choose another place, or allow it with --overwrite",
        )
    if before is not None or overwrite:
        bucket.delete(Published.NAME)
    watcher.begin(_STEP, len(files), unit="files")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ordered = sorted(files, key=lambda name: (name == last, name))
        for _ in pool.map(lambda name: bucket.put(name, files[name]), ordered):
            watcher.advance(_STEP, 1)
    watcher.end(_STEP)
    for name in sorted(set(before.files if before else ()) - set(wanted.files)):
        bucket.delete(name)
    bucket.put(Published.NAME, wanted.to_json().encode())


def _difference(before: Published, wanted: Published) -> str:
    if before.manifest_digest == wanted.manifest_digest:
        return "its status or files are not those of this one"
    digests = [each.manifest_digest[:12] for each in (before, wanted)]
    named = [f"the run {digest}…" if digest else "a study" for digest in digests]
    return f"it is {named[0]}, and this is {named[1]}"


def _before(bucket: Bucket, *, overwrite: bool) -> Published | None:
    try:
        return Published.read(bucket)
    except InputError:
        return None
    except SchemaError:
        if not overwrite:
            raise
        return None


def _files(paths: RunPaths) -> Iterator[Path]:
    """What a person or a tool may want of the run; nothing that only this machine uses."""
    own = (paths.claims, paths.cache, paths.unpublished, paths.logs, paths.ledger_cache)
    here = {path.relative_to(paths.root).parts[0] for path in (*own, paths.process)}
    here |= {paths.process_lock.relative_to(paths.root).parts[0]}
    for path in listing.files_below(paths.root):
        if path.suffix != PARTIAL and path.relative_to(paths.root).parts[0] not in here:
            yield path


def _described(path: Path) -> PublishedFile:
    return PublishedFile(path.stat().st_size, checksums.file_sha256(path))
