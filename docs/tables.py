"""Which tables in the documents follow from the code? `make tables` writes them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from docs import package_page, schema_files
from ptyrun.cli.compare import command
from ptyrun.errors import ExitCode
from ptyrun.models.kinds import FORMATS, Format
from ptyrun.ptycho.readers.registry import own_readers

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ptyrun"


def exit_codes() -> str:
    """Give the table of exit codes."""
    return _table("exit | means", (f"{int(code)} | {code.means}" for code in ExitCode))


def options() -> str:
    """Give the options of ``ptyrun compare`` as its help has them."""
    panels = command.panels(click.Context(command))
    panels.pop("Other")  # what every command has
    return "\n\n".join(f"**{panel}**\n\n{_options(rows)}" for panel, rows in panels.items())


def _options(rows: Mapping[str, list[str]]) -> str:
    """Give the options of one panel, each in its positive form."""
    words = {
        text: ", ".join(f"`{word.partition(' / ')[0]}`".replace("|", r"\|") for word in spelt)
        for text, spelt in rows.items()
    }
    return _table("option | does", (f"{words[text]} | {text}" for text in rows))


def layouts() -> str:
    """Give what each reader of ptyrun says of itself."""
    cards = (reader.card for reader in own_readers())
    rows = (
        f"{card.layout} (`{card.name}`) | {card.reads} | {card.units} | {card.written_by} "
        f"| {card.limits}"
        for card in cards
    )
    return _table("format | what is read | units | who writes it | limits", rows)


def schemas() -> str:
    """Give each JSON schema, and what it is of."""
    found = schema_files.schemas()
    rows = (f"[`{n}`](schemas/{n}) | {s['description']}" for n, s in found.items())
    return _table("schema | of", rows)


def models() -> str:
    """Give the kinds of model files."""
    head = "model | suffix | read by | what is read | trust | limits"
    return _table(head, (_of_format(each) for each in FORMATS))


def _of_format(each: Format) -> str:
    suffixes = " ".join(f"`{suffix}`" for suffix in each.suffixes) or "–"
    extra = f"`ptyrun[{each.backend}]`"
    return " | ".join((each.kind, suffixes, extra, each.is_read, each.word, each.limits))


def modules() -> str:
    """Give each package, and what its modules answer."""
    return "\n\n".join(_package(path.parent) for path in sorted(PACKAGE.rglob("__init__.py")))


def _package(folder: Path) -> str:
    said = [f"### {folder.relative_to(ROOT)}/", _first_line(folder / "__init__.py")]
    if found := sorted(set(folder.glob("*.py")) - {folder / "__init__.py"}):
        said += [_table("module | answers", (f"`{p.name}` | {_first_line(p)}" for p in found))]
    return "\n\n".join(said)


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].replace("``", "`").replace("|", r"\|")


def _table(head: str, rows: Iterable[str]) -> str:
    line = " | ".join("---" for _ in head.split("|"))
    return "\n".join(f"| {row} |" for row in (head, line, *rows))


# Which table stands in which documents, between its marks.
TABLES = {
    "exit codes": (exit_codes, ("README.md", "docs/format.md", "docs/using.md")),
    "options": (options, ("docs/compatibility.md",)),
    "schemas": (schemas, ("docs/schemas.md",)),
    "models": (models, ("docs/models.md",)),
    "modules": (modules, ("docs/architecture.md",)),
    "layouts": (layouts, ("docs/readers.md",)),
}


def renewed(text: str, name: str) -> str:
    """Give *text* with the table *name* as the code has it now."""
    begin, end = f"<!-- {name}: make tables -->", f"<!-- end of {name} -->"
    marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    assert marked.search(text), f"there is no place for the table of {name}"
    make, _ = TABLES[name]
    return marked.sub(lambda _: f"{begin}\n\n{make()}\n\n{end}", text)


if __name__ == "__main__":
    for name, (_, documents) in TABLES.items():
        for path in (ROOT / document for document in documents):
            path.write_text(renewed(path.read_text(encoding="utf-8"), name), encoding="utf-8")
    package_page.write()
    schema_files.write()
