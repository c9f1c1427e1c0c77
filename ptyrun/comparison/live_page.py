"""What does the page of a run say that is under way?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ptyrun.comparison import page_notes
from ptyrun.comparison.history import History
from ptyrun.comparison.page_pictures import styles
from ptyrun.durations import format_duration
from ptyrun.report import page, pictures, tables, timeline
from ptyrun.report.views import Scene
from ptyrun.results import Results

REPORT = "../report/index.html"


@dataclass(frozen=True)
class Reload:
    """How a page is kept up to date: every so many seconds, and where it leads to at the end.

    One that waits for the report goes on when every chunk is committed.
    """

    every_s: float
    waits_for_report: bool = False
    is_over: bool = False
    leads_to: str = ""

    def as_of(self, *, is_partial: bool) -> Reload:
        """Give what holds of a page whose run is as far as this."""
        return replace(self, is_over=self.is_over or not (is_partial or self.waits_for_report))

    @property
    def seconds(self) -> int | None:
        """After how many seconds a browser looks again; None where it need not."""
        if self.is_over:
            return 0 if self.leads_to else None
        return max(1, round(self.every_s))


def live_page(
    title: str,
    progress: Mapping[str, str],
    scene: Scene | None,
    results: Results,
    history: History,
    computed: Mapping[str, str],
    *,
    is_partial: bool,
    command: str,
    pixel_size_m: float | None,
    reload: Reload | None,
) -> page.Page:
    """Give the page of a run that is not finished.

    Parameters
    ----------
    title : str
    progress : mapping
        How far each arm is, by its label.
    scene : Scene or None
        What there is to see.
    results : Results
        Measured over what is covered so far.
    history : History
    computed : mapping
        Labels of the arms that are computed, by name.
    is_partial : bool
        Whether chunks are missing.
    command : str
        What makes the comparison again.
    pixel_size_m : float or None
    reload : Reload, optional
        Where the page is written again and again.
    """
    found = tables.standard_table(results, is_ranked=False)  # not of the same pixels
    lasted_s = sum(session.lasted_s for session in history.sessions)
    return page.Page(
        title=title,
        conclusion=tuple(page.Fact(label, text) for label, text in progress.items()),
        warnings=tuple(page_notes.warnings(results)),
        notes=(
            *(page.Statement("", note) for note in results.notes),
            *page_notes.arms(results, are_details=False),
        ),
        details=tuple(page_notes.arms(results, are_details=True)),
        rows=() if scene is None else pictures.scene_rows(scene, pixel_size_m),
        picture_notes=() if scene is None else tuple(scene.notes),
        plots=(),
        plots_text="",
        tables=() if not found.rows else (found,),
        folded=(),
        whole=(),
        summary=(page.Fact("Time in all sessions", format_duration(lasted_s)),),
        timeline=timeline.draw(history.sessions, dict(computed), styles(results.arms)),
        provenance=(),
        command=command,
        live=_live(is_partial=is_partial, reload=reload),
        refresh_s=None if reload is None else reload.seconds,
        leads_to="" if reload is None else reload.leads_to if reload.is_over else "",
        is_report=False,
    )


def _live(*, is_partial: bool, reload: Reload | None) -> str:
    if reload is not None and reload.is_over and reload.leads_to:
        return "The comparison is finished: this page leads to its report."
    what = "PARTIAL: chunks are missing" if is_partial else "Every chunk is committed"
    again = "" if reload is None or reload.is_over else _again(reload)
    return f"{what}{again}. These figures are not results."


def _again(reload: Reload) -> str:
    return f". This page loads itself again every {format_duration(reload.every_s)}"


def standing(text: str, reload: Reload) -> str:
    """Give a page that nobody writes any more as it should be left: it loads itself no longer.

    Parameters
    ----------
    text : str
        The HTML of a page that was made with *reload*.
    reload : Reload

    Returns
    -------
    str
        The same page, to stay as it is.
    """
    return re.sub(r'<meta http-equiv="refresh"[^>]*>\n?', "", text).replace(_again(reload), "")
