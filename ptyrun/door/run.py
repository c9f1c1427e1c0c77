"""What can be asked of a run, and what can be done with it?

The verbs are those of the command line. Each call looks at the folder as it is then: nothing here
grows old in a notebook's memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ptyrun.config import SessionOptions
from ptyrun.door.contents import Contents
from ptyrun.door.session import path as path_of
from ptyrun.door.session import replanning, seconds, session_options
from ptyrun.door.watching import call
from ptyrun.door.words import Duration, SessionWords
from ptyrun.engine.window import Window
from ptyrun.errors import refuse_unknown
from ptyrun.stages.status import Status, status

if TYPE_CHECKING:
    from ptyrun.comparison.live_page import Reload
    from ptyrun.door.job import Job
    from ptyrun.engine.work import Outcome
    from ptyrun.results import Results
    from ptyrun.stages.preview import PreviewFiles
    from ptyrun.stages.report import ReportFiles
    from ptyrun.stages.verify import Verdict


class Run(Contents):
    """One comparison in its folder.

    Parameters
    ----------
    folder : Path
        Where ``plan`` or ``compare`` put it.

    Examples
    --------
    >>> run = Run(example.folder)
    >>> run.status().state.value
    'complete'
    >>> run.object("first").shape
    (96, 90)
    """

    def status(self) -> Status:
        """Say how far it is, at once: neither the scan nor a chunk is read.

        Returns
        -------
        Status
            ``state``, ``groups_committed``, ``groups_total``, ``eta_s``, ``arms``, ...

        Raises
        ------
        InputError
            If nothing is planned in the folder any more.
        DamageError
            If the ledger cannot be trusted.

        Examples
        --------
        >>> Run(example.folder).status().chunks_total
        0
        """
        return status(self.folder)

    def run(
        self,
        *,
        window: Duration = None,
        **options: Unpack[SessionWords],
    ) -> Outcome:
        """Compute what it still lacks, until it is complete or the window closes.

        Parameters
        ----------
        window : float or str, optional
            Wall time this call may use: seconds, or text like ``"170s"``.
        **options
            As ``ptyrun run`` has them: ``max_chunks``, ``only_arm``, ``shared_folder``,
            ``device_wait``, ``lock_cpu``, ``workers``, ``dask``, ``require_debug``, ``reuse``,
            ``trust_model``, ``unconfined``, ``adopt``.

        Returns
        -------
        Outcome
            ``stop`` is `ExitCode.COMPLETE`, or INCOMPLETE where work remains; ``reason``,
            ``chunks_done``, ``chunks_left``.

        Raises
        ------
        IdentityError
            If an input changed since the run was planned, or if somebody else planned it.
        ModelError
            If a model runs code of its own and is not trusted (``trust_model``).
        BlockedError
            If the predictions contain no usable values.
        WindowTooShortError
            If no window of this length can hold the next chunk.

        Examples
        --------
        >>> Run(example.folder).run(window="60s").stop.name
        'COMPLETE'
        """
        from ptyrun.door import executors

        session, others = _read(window, options)
        with call() as watcher:
            return executors.work(self.folder, session, others, watcher)

    def preview(
        self, output: str | os.PathLike[str] | None = None, *, reload: Reload | None = None
    ) -> PreviewFiles:
        """Stitch, draw and measure what is committed so far, into ``preview/``.

        Parameters
        ----------
        output : path, optional
            Another folder to write to; the run's is then only read.
        reload : Reload, optional
            How the page loads itself again, where this is called again and again.

        Returns
        -------
        PreviewFiles
            ``page`` is the path of the page; ``arms`` says how far each arm is.

        Raises
        ------
        UsageError
            If *output* lies in the run's folder.
        InputError
            If the scan is gone, and no arm has groups to be laid without it.
        DamageError
            If the ledger cannot be trusted.
        """
        from ptyrun.stages import preview

        with call() as watcher:
            folder = None if output is None else path_of(output)
            return preview.preview(self.folder, output=folder, reload=reload, watcher=watcher)

    def verify(self, level: str = "full", *, repair: bool = False) -> Verdict:
        """Check every file that the run rests on.

        Parameters
        ----------
        level : {"full", "sample", "size"}
            Every byte of every chunk, of some, or sizes alone.
        repair : bool
            Discard damaged parts, so that the next `run` recreates them.

        Returns
        -------
        Verdict
            ``damages`` is empty if nothing is wrong.

        Raises
        ------
        UsageError
            If there is no such level.
        BusyError
            If a session works on a run that is to be repaired.

        Examples
        --------
        >>> Run(example.folder).verify().damages
        ()
        """
        from ptyrun.engine.integrity import Level
        from ptyrun.stages import verify

        refuse_unknown([level], [*Level], "there is no level {}")
        with call() as watcher:
            return verify.verify(self.folder, Level(level), repair=repair, watcher=watcher)

    def finalize(
        self, *, force: bool = False, window: Duration = None, adopt: bool = False
    ) -> Results:
        """Assemble objects, metrics and pictures once every chunk is committed.

        Parameters
        ----------
        force : bool
            Make the results again, even if they are up to date.
        window : float or str, optional
            Wall time this call may use: seconds, or text like ``"170s"``.
        adopt : bool
            Believe a run that somebody else planned.

        Returns
        -------
        Results
            As in ``results.json``: ``arms``, ``pairs``, ``differences``, ``notes``.

        Raises
        ------
        UnfinishedError
            If chunks are missing.
        IdentityError, DamageError, BlockedError
            If an input changed, a chunk is damaged, or the results are empty.
        WindowClosedError
            If the window is used up; what was done is kept.

        Examples
        --------
        >>> Run(example.folder).finalize().is_measured
        True
        """
        from ptyrun.comparison import next_step, standing

        with call() as watcher:
            span = Window(seconds(window))
            if not force and (known := standing.results(self.folder, adopt=adopt)) is not None:
                return known
            next_step.require_window(self.folder, span, chunks_of=(), makes=(next_step.FINALIZE,))
            from ptyrun.stages import finalize

            return finalize.finalize(
                self.folder, window=span, force=force, watcher=watcher, adopt=adopt
            )

    def report(
        self,
        output: str | os.PathLike[str] | None = None,
        *,
        force: bool = False,
        window: Duration = None,
    ) -> ReportFiles:
        """Write the report page; ``html`` of what is returned is its path.

        Parameters
        ----------
        output : path, optional
            Another folder to write to; the run's is then only read.
        force : bool
            Make the report again even if it is up to date.
        window : float or str, optional
            Wall time this call may use: seconds, or text like ``"170s"``.

        Returns
        -------
        ReportFiles
            ``html`` is the path of the page.

        Raises
        ------
        UnfinishedError
            If the run is not finalized.

        Examples
        --------
        >>> Run(example.folder).report().html.name
        'index.html'
        """
        from ptyrun.comparison import next_step

        with call() as watcher:
            span = Window(seconds(window))
            next_step.require_window(self.folder, span, chunks_of=(), makes=(next_step.REPORT,))
            from ptyrun.stages import report

            folder = None if output is None else path_of(output)
            return report.report(
                self.folder, output=folder, window=span, force=force, watcher=watcher
            )

    def export(
        self, path: str | os.PathLike[str], *, format: str | None = None, overwrite: bool = False
    ) -> Path:
        """Write the results into one file.

        Parameters
        ----------
        path : path
            The file to write.
        format : {"csv", "npz", "hdf5"}, optional
            Inferred from the file's name if omitted.
        overwrite : bool
            Replace the file if it exists.

        Returns
        -------
        Path
            The file that was written.

        Raises
        ------
        UsageError
            If the format is unknown, the file exists, or it lies in the run's folder.
        UnfinishedError
            If the run is not finalized.

        Examples
        --------
        >>> Run(example.folder).export(example.folder.parent / "results.csv").name
        'results.csv'
        """
        from ptyrun.stages import export

        out = path_of(path)
        kind = format or export.format_of(out)
        with call() as watcher:
            return export.export(self.folder, kind, out, overwrite=overwrite, watcher=watcher)

    def publish(self, url: str, *, overwrite: bool = False) -> str:
        """Copy the finished run into a bucket, every byte checked; give the place.

        Parameters
        ----------
        url : str
            ``s3://BUCKET/PREFIX``; :func:`ptyrun.open_run` takes it as well.
        overwrite : bool
            Whether another run that was published there may be replaced.

        Returns
        -------
        str
            Where it lies now, as :func:`ptyrun.open_run` takes it.

        Raises
        ------
        UnfinishedError
            If the run is not finalized, or has no report.
        UsageError
            If another run was published there, *url* is none, or obstore is not installed.
        DamageError
            If something in the run is not as it was written.
        StorageError
            If the bucket refuses it.
        """
        with call() as watcher:
            from ptyrun.stages.publish import publish

            text = self.status().to_json()
            return publish(self.folder, url, text, overwrite=overwrite, watcher=watcher)

    def start(
        self,
        *,
        window: Duration = None,
        take_over: bool = False,
        **options: Unpack[SessionWords],
    ) -> Job:
        """Complete the run in the background: windows, finalize, report, a check of the content.

        Parameters
        ----------
        window : float or str, optional
            Length of each window: seconds, or text like ``"170s"``.
        take_over : bool
            Treat a session recorded on another host or container as dead.
        **options
            As for `run`.

        Returns
        -------
        Job
            The session, to be waited for or stopped.

        Raises
        ------
        BusyError
            If a session works on the run.
        PtyrunError
            If the session did not come up.
        """
        from ptyrun.door import executors
        from ptyrun.door.job import Job

        session, others = _read(window, options)
        with call() as watcher:
            executors.start(self.folder, session, others, watcher, take_over=take_over)
        return Job(self.folder)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<b>{escape(str(self.folder))}</b>{self.status()._repr_html_()}"


def _read(window: Duration, options: Mapping[str, Any]) -> tuple[SessionOptions, tuple[Path, ...]]:
    """Tell a session's options from the runs that give chunks."""
    given = dict(options)
    others = replanning({"reuse": given.pop("reuse", ())}).reuse
    return session_options(window, given), others
