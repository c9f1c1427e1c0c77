"""What is on the page, and in which words?"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache

import jinja2
from markupsafe import Markup

from ptyrun.report.curves import PlotGroup
from ptyrun.report.pictures import Row
from ptyrun.report.profiles import LineSection
from ptyrun.report.tables import Table
from ptyrun.report.timeline import Timeline
from ptyrun.texts import shown


@dataclass(frozen=True)
class Fact:
    """A named thing that a reader may want to know."""

    name: str
    text: str
    is_code: bool = False


@dataclass(frozen=True)
class Facts:
    """Named things that belong together."""

    heading: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Statement:
    """Something said about an arm, or about the whole when the label is empty."""

    label: str
    text: str


@dataclass(frozen=True)
class Page:
    """Everything that a report shows, in the order in which it shows it.

    ``facts`` are of the scan. ``details`` are notes that change no conclusion. ``rows`` are
    pictures of what is compared, ``whole`` those of all that there is. ``folded`` tables open on
    request. A page of a run under way, which is no report, says so (``live``), and after
    ``refresh_s`` seconds loads itself again, or what it leads to. ``line`` has profiles, where they
    were asked for.
    """

    title: str
    conclusion: tuple[Fact, ...]
    warnings: tuple[Statement, ...]
    notes: tuple[Statement, ...]
    rows: tuple[Row, ...]
    picture_notes: tuple[str, ...]
    plots: tuple[PlotGroup, ...]
    plots_text: str
    tables: tuple[Table, ...]
    folded: tuple[Table, ...]
    whole: tuple[Row, ...]
    summary: tuple[Fact, ...]
    timeline: Timeline
    provenance: tuple[Facts, ...]
    command: str
    live: str = ""
    refresh_s: int | None = None
    leads_to: str = ""
    is_report: bool = True
    details: tuple[Statement, ...] = ()
    facts: tuple[Fact, ...] = ()
    line: LineSection | None = None


def html(page: Page) -> str:
    """One self-contained HTML document: nothing is fetched, and no script runs but the page's own.

    A browser refuses every other one, whatever a file's text might have become: the page's policy
    names its script by SHA-256.
    """
    templates = environment(autoescape=True)
    script = templates.get_template("viewer.js.j2").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    shown = templates.get_template("page.html.j2")
    return shown.render(page=page, script=Markup(script), script_sha256=digest)


def markdown(page: Page) -> str:
    """The same figures as GitHub-flavoured Markdown, without the pictures."""
    text = environment(autoescape=False).get_template("page.md.j2").render(page=page)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@cache  # templates are translated once
def environment(*, autoescape: bool) -> jinja2.Environment:
    """Where the templates of all pages are found."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ptyrun", "report"),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = _as_cell
    environment.filters["linked"] = _linked
    environment.filters["fenced"] = _fenced
    environment.filters["unbroken"] = _unbroken
    return environment


def _plain(value: object) -> object:
    """Spell out what turns the direction of writing, or is not seen: browsers obey it."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _as_cell(text: object) -> str:
    """Keep a text inside its Markdown table cell, and from becoming HTML, a link or a picture."""
    plain = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|\[\]*])", r"\\\1", plain)


def _fenced(code: str) -> str:
    """Put code into a Markdown block that no backtick inside it ends."""
    longest = max(map(len, re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}bash\n{code}\n{fence}"


def _unbroken(text: str) -> Markup:
    """Keep options such as ``--ground-truth`` on one line."""
    escaped = str(Markup.escape(shown(text)))
    return Markup(
        re.sub(r"(?<![\w-])(--[a-z][a-z-]{1,28})", r'<span class="option">\1</span>', escaped)
    )


def _linked(text: str) -> Markup:
    """Make every DOI in a text a link."""
    escaped = str(Markup.escape(shown(text)))
    link = r'<a href="https://doi.org/\1">doi:\1</a>'
    return Markup(re.sub(r"doi:(10\.\d{4,9}/[^\s,;)]*[^\s,;).])", link, escaped))
