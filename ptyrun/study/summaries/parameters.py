"""With which parameters was a study summed up, and which comparisons belong to it?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ptyrun.errors import NewerError, PtyrunError, UsageError
from ptyrun.host.documents import Document
from ptyrun.study import analysis
from ptyrun.study.files import HubFiles
from ptyrun.study.summaries.manifest import Key
from ptyrun.study.summaries.texts import MS_SSIM_THRESHOLD


@dataclass(frozen=True)
class Parameters(Document):
    """Content of ``study_parameters.json``: what `summarize` used, and `verify` expects.

    An empty tuple stands for whatever the hub itself holds.
    """

    NAME: ClassVar[str] = "document of a study's parameters"
    SCHEMA: ClassVar[int] = 1
    REMEDY: ClassVar[str] = "`ptyrun study summarize` writes it again"

    ms_ssim_threshold: float = MS_SSIM_THRESHOLD
    doses: tuple[float, ...] = ()
    views: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise ValueError for a threshold that no MS-SSIM can have."""
        if not -1 <= self.ms_ssim_threshold <= 1:
            raise ValueError(f"the MS-SSIM threshold is {self.ms_ssim_threshold}")

    @classmethod
    def remembered(cls, files: HubFiles) -> Parameters:
        """Read what a hub remembers; the defaults if it remembers nothing.

        Raises
        ------
        PtyrunError
            If the document is damaged, or written by a newer ptyrun.
        """
        if not files.exists(analysis.PARAMETERS):
            return cls()
        return cls.from_json(files.text(analysis.PARAMETERS), analysis.PARAMETERS)

    def overridden(
        self,
        ms_ssim_threshold: float | None = None,
        doses: tuple[float, ...] = (),
        views: tuple[str, ...] = (),
        splits: tuple[str, ...] = (),
    ) -> Parameters:
        """The same parameters, but for what is given.

        Raises
        ------
        UsageError
            If the threshold is none, or a dose, view or split cannot be one.
        """
        threshold = self.ms_ssim_threshold if ms_ssim_threshold is None else ms_ssim_threshold
        if not math.isfinite(threshold) or not -1 <= threshold <= 1:
            raise UsageError(
                f"invalid MS-SSIM threshold: {threshold}",
                why="it must be between -1 and 1",
                do="give another one, such as 0.8",
            )
        made = Parameters(
            threshold, doses or self.doses, views or self.views, splits or self.splits
        )
        made.require_names()
        return made

    def require_names(self) -> None:
        """Raise UsageError for a dose, view or split that no comparison can have."""
        for dose in self.doses or (1.0,):
            for view in self.views or ("dense",):
                for split in self.splits or ("train",):
                    try:
                        Key.of({"dose": dose, "view": view, "split": split})
                    except ValueError as error:
                        raise UsageError(
                            f"no comparison is {view}/{split} at dose {dose}",
                            why=str(error),
                            do="correct --dose, --view or --splits",
                        ) from error

    def expected(self, found: tuple[Key, ...]) -> tuple[Key, ...]:
        """All comparisons that must be there: what is given times what is *found* of the rest."""
        doses = self.doses or tuple(dict.fromkeys(key.dose for key in found))
        views = self.views or tuple(dict.fromkeys(key.view for key in found))
        splits = self.splits or tuple(dict.fromkeys(key.split for key in found))
        if not (self.doses or self.views or self.splits):
            return found
        return tuple(Key(d, v, s) for d in doses for v in views for s in splits)


def remembered_or_default(files: HubFiles) -> tuple[Parameters, str]:
    """The parameters of a hub, and what is wrong with their document; empty if nothing is.

    Raises
    ------
    NewerError
        If a newer ptyrun wrote it.
    """
    try:
        return Parameters.remembered(files), ""
    except NewerError:
        raise
    except PtyrunError as error:
        return Parameters(), f"{error.what}: {error.why}"
