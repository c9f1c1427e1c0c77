"""Which pages of the site follow from the code? Written by `docs/conf.py` when the site is made."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

import click

import ptyrun
from docs import drawing
from ptyrun.cli.commands import cli
from ptyrun.comparison import request
from ptyrun.config.options import Entry, entries
from ptyrun.config.study import StudyOptions

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# Documents beside the folder that have a page in the site.
BESIDE = {"CHANGELOG.md": "changelog", "CONTRIBUTING.md": "contributing", "SECURITY.md": "security"}
APART = {"index", "package-page", "queues"}
REST, QUEUES = "<!-- the rest -->", "<!-- queues -->"
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def linked(text: str, path: Path) -> str:
    """Lead the links of a document to pages of the site; other files stay names.

    Parameters
    ----------
    text : str
        Markdown.
    path : Path
        Where the document lies, or a page of the site in its place.

    Examples
    --------
    >>> linked("[rules](../SECURITY.md), [a loop](../examples/loop)", DOCS / "study.md")
    '[rules](generated/security.md), a loop (`examples/loop`)'
    """

    def lead(found: re.Match[str]) -> str:
        words, target, place = found[1], found[2], found[3] or ""
        whole = Path(os.path.normpath(path.parent / target))
        if "://" in target or whole.is_relative_to(DOCS / "schemas"):
            return found[0]
        if whole.name in BESIDE and whole.parent == ROOT:
            whole = DOCS / "generated" / f"{BESIDE[whole.name]}.md"
        elif whole == ROOT / "README.md":
            whole, place = DOCS / "index.md", ""
        if whole.is_relative_to(DOCS) and whole.suffix == ".md":
            return f"[{words}]({os.path.relpath(whole, path.parent)}{place})"
        name = whole.relative_to(ROOT).as_posix() if whole.is_relative_to(ROOT) else target
        plain = words.strip("`")
        return f"`{name}`" if plain == name else f"{words} (`{name}`)"

    return _LINK.sub(lead, text)


def with_the_rest(text: str) -> str:
    """Name in a list of pages those that stand in no other one: whoever adds a page adds a file."""
    text = text.replace(QUEUES, "../queues" if (DOCS / "queues.md").exists() else "")
    if REST not in text:
        return text
    lists = [
        path.read_text(encoding="utf-8")
        for path in DOCS.rglob("*.md")
        if path.parent.name != "generated"
    ]
    named = {line.strip() for each in lists for line in each.splitlines()}
    rest = [p.stem for p in sorted(DOCS.glob("*.md")) if p.stem not in named | APART]
    return text.replace(REST, "\n".join(rest))


def _beside(name: str) -> str:
    """Give a document of the project's folder as a page of the site."""
    text = (ROOT / name).read_text(encoding="utf-8")

    def moved(found: re.Match[str]) -> str:
        target = found[2] if "://" in found[2] else os.path.relpath(ROOT / found[2], DOCS / "x")
        return f"[{found[1]}]({target}{found[3] or ''})"

    return _LINK.sub(moved, text)


def write(folder: Path) -> None:
    """Write every page into *folder*."""
    folder.mkdir(exist_ok=True)
    pages = {
        "cli.md": command_line(),
        "api.rst.txt": api(),
        "configuration.md": configuration(),
        "architecture.svg": drawing.svg(),
        **{f"{page}.md": _beside(name) for name, page in BESIDE.items()},
    }
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def command_line() -> str:
    """Give the page of all commands: the help of each, as a narrow terminal shows it."""
    said = ["# Command line", "Options may be spelt with `-` or `_`.", ""]
    for path, command in _commands(cli, "ptyrun"):
        context = click.Context(command, info_name=path, max_content_width=72)
        context.terminal_width = 72
        said += [f"## {path}", "", "```text", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(said) + "\n"


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, group
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        elif command is not None:
            yield f"{path} {name}", command


def api() -> str:
    """Give what Python may import, with its docstrings."""
    kinds = {True: "autoclass", False: "autofunction"}
    said = []
    for name in ptyrun.__all__:
        if name != "__version__":
            found = getattr(ptyrun, name)
            said += [
                name,
                "-" * len(name),
                "",
                f".. {kinds[isinstance(found, type)]}:: ptyrun.{name}",
            ]
            said += ["   :members:", ""] if isinstance(found, type) else [""]
    return "\n".join(said)


def configuration() -> str:
    """Give the keys of the two configuration files."""
    return (
        "\n\n".join(
            (
                "# Configuration files",
                "TOML. Keys have the names of the options, with underscores. Options "
                "on the command line win. Relative paths are relative to the file's folder. A file "
                "cannot grant trust.",
                "## A comparison",
                "`ptyrun compare --config FILE`; each run keeps its own as `config.toml`.",
                _keys(request.options()),
                "## A study",
                "`ptyrun study run --config FILE`; `ptyrun study init` writes a commented one.",
                _keys(entries(StudyOptions)),
            )
        )
        + "\n"
    )


def _keys(rows: tuple[Entry, ...] | list[Entry]) -> str:
    said = ["| key | type | means |", "|---|---|---|"]
    for row in rows:
        for word, about in _spelt(row):
            kind = "list" if row.is_many else row.kind.__name__.lower()
            said.append(f"| `{word}` | {kind} | {escape(about).replace('|', chr(92) + '|')} |")
    return "\n".join(said)


def _spelt(row: Entry) -> Iterator[tuple[str, str]]:
    if row.option.switches:
        for switch in row.option.switches:
            each = dataclasses.replace(row, word=switch.word)
            yield each.name, switch.help
    else:
        yield row.name, row.help
