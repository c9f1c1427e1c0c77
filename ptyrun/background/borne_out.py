"""Is a run what its session's last documents say: complete?

``process.json`` and ``completion.json`` are sealed against chance, not signed. A run that came from
elsewhere, or that went on since, may say that all is done where it is not.
"""

from __future__ import annotations

from pathlib import Path

from ptyrun.background.windows import has_results
from ptyrun.comparison.completion import Completion
from ptyrun.comparison.run import Run
from ptyrun.errors import DamageError, ForeignFileError, StorageError
from ptyrun.host import durable
from ptyrun.host.checksums import file_sha256, folder_sha256
from ptyrun.host.regular import below, refuse_foreign
from ptyrun.paths import RunPaths


def raise_if_failed(run_dir: Path, completion: Completion | None) -> None:
    """See that a run or hub is complete, where its session says so.

    Every chunk must be committed by the ledger, the results must quote the plan, and each artifact
    must have the digest that is told. The stored bytes of chunks are not read again:
    ``ptyrun verify`` does. Of a hub, which has no ledger, the artifacts alone are looked at.

    Raises
    ------
    DamageError
        If it is not; the error names in what.
    """
    paths = Run(run_dir).paths
    if completion is None:
        raise _not_so(paths, "there is no completion.json of that session: it was withdrawn")
    if paths.manifest.exists():
        digest = Run(run_dir).manifest.digest
        if completion.manifest_digest != digest:
            raise _not_so(paths, f"completion.json quotes {completion.manifest_digest[:12]}…")
        if not has_results(paths):
            raise _not_so(paths, "chunks are missing, or the results are of another plan")
        reading = True
    else:
        reading = False  # outputs of a study may take hours: `ptyrun study status` compares them
    for name, digest in completion.artifacts.items():
        if why := _wrong(paths.root, name, digest, reading=reading):
            raise _not_so(paths, why)


def _wrong(root: Path, name: str, digest: str, *, reading: bool) -> str:
    try:
        path = below(root, name)
        refuse_foreign(path)
        if not path.exists():
            return f"{name!r:.200} is missing"
        if not reading:
            return ""
        with durable.storage_errors(path, "read"):
            found = folder_sha256(path) if path.is_dir() else file_sha256(path)
    except (ForeignFileError, StorageError) as error:
        return error.what
    return "" if found == digest else f"{name!r:.200} is not the file whose digest it holds"


def _not_so(paths: RunPaths, why: str) -> DamageError:
    return DamageError(
        f"{paths.root} is not complete, though its session says so",
        why=why,
        do="start a session again, or look with `ptyrun status` and `ptyrun verify`",
    )
