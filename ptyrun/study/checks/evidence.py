"""What does a hub say of its comparisons, in each of the places that say it?

Every summary follows from the tables of the comparisons. A file is as it should be if it follows
from these tables, or from ``metrics_summary.json``: so that an altered table, and an altered
summary, are each found by the check that is about them, and by no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from ptyrun.errors import PtyrunError
from ptyrun.study import analysis
from ptyrun.study.checks.records import changes
from ptyrun.study.checks.verdict import fault_of, first_other_line
from ptyrun.study.files import Found, HubFiles
from ptyrun.study.summaries.comparisons import comparisons
from ptyrun.study.summaries.compliance import Compliance
from ptyrun.study.summaries.manifest import Key, Manifest
from ptyrun.study.summaries.parameters import Parameters
from ptyrun.study.summaries.rows import Row
from ptyrun.study.summaries.summarize import contents, uncounted
from ptyrun.study.summaries.summary import Job, Summary


@dataclass(frozen=True)
class Evidence:
    """The files of a hub, and what can be read in them; all of it is read once."""

    files: HubFiles
    parameters: Parameters
    parameters_fault: str = ""
    # Whether doses, views or splits were named; else every comparison in the hub must be listed.
    is_scoped: bool = False

    @cached_property
    def listing(self) -> tuple[Found, ...] | str:
        """Everything in the hub that is not a folder, or why it cannot be listed."""
        try:
            return tuple(self.files.all())
        except PtyrunError as error:
            return fault_of(error)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all regular files; none if the hub cannot be listed."""
        found = () if isinstance(self.listing, str) else self.listing
        return tuple(each.name for each in found if not each.kind)

    @cached_property
    def manifest(self) -> Manifest | str:
        """The manifest, or why there is none."""
        try:
            return Manifest.load(self.files)
        except PtyrunError as error:
            return fault_of(error)

    @cached_property
    def stored(self) -> Summary | str:
        """``metrics_summary.json``, or why it cannot be read."""
        try:
            return Summary.load(self.files)
        except PtyrunError as error:
            return fault_of(error)

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """The comparisons with metrics, by the manifest, else the summary, else their tables.

        Whatever return code the manifest gives: a wrong one is the manifest's fault alone.
        """
        if isinstance(self.manifest, Manifest) and self.manifest.executions:
            return tuple(
                each.key
                for each in self.manifest.executions
                if each.returncode == 0 or self.files.exists(each.key.metrics)
            )
        if isinstance(self.stored, Summary) and self.stored.jobs:
            return tuple(job.key for job in self.stored.jobs)
        return uncounted(self.files, ())

    @cached_property
    def uncounted(self) -> tuple[Key, ...]:
        """Comparisons with a table, that the manifest does not list."""
        return uncounted(self.files, self.keys)

    @cached_property
    def jobs(self) -> dict[Key, Job | str]:
        """The table of each comparison, or why it cannot be read."""
        return {key: self._job(key) for key in self.keys}

    @cached_property
    def collected(self) -> Summary | None:
        """What the tables add up to; None if one of them cannot be read."""
        jobs = tuple(job for job in self.jobs.values() if isinstance(job, Job))
        if not jobs or len(jobs) < len(self.jobs):
            return None
        return Summary(len(jobs), len(jobs), 0, jobs, self.compliance)

    @cached_property
    def compliance(self) -> Compliance:
        """What the data files say of themselves."""
        return Compliance.of(self.files)

    @cached_property
    def candidates(self) -> tuple[Summary, ...]:
        """Every summary that the hub's files may follow from."""
        found = [] if self.collected is None else [self.collected, as_upstream(self.collected)]
        if isinstance(self.stored, Summary):
            told = self.stored.compliance
            found += [self.stored, *(replace(each, compliance=told) for each in found)]
        return tuple(each for i, each in enumerate(found) if each not in found[:i])

    @cached_property
    def _texts(self) -> tuple[dict[str, str], ...]:
        left = tuple(job for key in self.uncounted if isinstance(job := self._job(key), Job))
        return tuple(
            contents(each, left, self.parameters, "", exact=exact)
            for each in self.candidates
            for exact in ((False, True) if depends_on_labels(each) else (False,))
        )

    def wanted(self, name: str) -> list[str]:
        """Every text that the file *name* may have."""
        return list(dict.fromkeys(each[name] for each in self._texts))

    def faults_of_text(self, name: str) -> Iterator[str]:
        """Say what is wrong with a summary that follows from the comparisons."""
        try:
            text = self.files.text(name)
        except PtyrunError as error:
            yield fault_of(error)
            return
        wanted = self.wanted(name)
        if not wanted:
            yield f"{name} cannot be compared: no metrics of the comparisons can be read"
        elif text not in wanted:
            yield f"{name} does not follow from the metrics: {first_other_line(text, wanted[0])}"

    @cached_property
    def changes(self) -> dict[str, str]:
        """What is not as the stage that made it left it, by name."""
        return changes(self.files, self.names)

    def changes_of(self, *kinds: str) -> Iterator[str]:
        """Changes of files that belong to one check: by the beginning or the end of their names."""
        for name, said in self.changes.items():
            if name.startswith(kinds) or name.endswith(kinds):
                yield said

    def _job(self, key: Key) -> Job | str:
        try:
            return Job.load(self.files, key)
        except PtyrunError as error:
            return fault_of(error)


def as_upstream(summary: Summary) -> Summary:
    """The same summary as upstream makes it: a pair with one number counts as none."""
    jobs = (replace(job, rows=tuple(map(_whole_pair, job.rows))) for job in summary.jobs)
    return replace(summary, jobs=tuple(jobs))


def _whole_pair(row: Row) -> Row:
    if (row.amplitude is None) == (row.phase is None):
        return row
    return replace(row, amplitude=None, phase=None)


def depends_on_labels(summary: Summary) -> bool:
    """Whether upstream, which knows models by their exact labels, sees others than ptyrun does."""
    models = summary.models
    return comparisons(models) != comparisons(models, exact=True)


def is_listed(files: HubFiles, name: str) -> bool:
    """Whether the hub's inventory names a file."""
    try:
        return name in files.text(analysis.INVENTORY).splitlines()
    except PtyrunError:
        return False
