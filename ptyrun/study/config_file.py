"""How is a study given as a file? What a line says counts more than what the file says.

Commands that stand in a file run only where its user names that file: a hub may come from anybody.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from ptyrun.config.options import Entry, entries, gather, name_of
from ptyrun.config.study import StudyOptions, study_entries
from ptyrun.config.toml import dumps
from ptyrun.errors import InputError, UsageError, nearest
from ptyrun.host import durable
from ptyrun.host.free_place import require_free
from ptyrun.host.regular import read_regular
from ptyrun.study.others import OtherStage

MAX_BYTES = 2**20
STAGE, STAGES = "stage", "stages"
_TABLES = (list, tuple)
_TEXTS = ("name",)
_LISTS = ("command", "inputs", "outputs", "files")
_AT = re.compile(r"\(at (line \d+, column \d+|end of document)\)")

EXAMPLE = """
# A stage of your own: any command with its inputs and outputs, as paths below the hub.
# {dose}, {view}, {split} make one for each; {hub} is the hub, {here} the folder of this file.
# The name of a stage of ptyrun's (`ptyrun study plan` lists them) replaces it.
# [[stage]]
# name = "train-{dose}-{view}"
# command = ["python", "{here}/train.py", "{hub}/data/phase_c/dose_{dose}/patched_train.npz"]
# inputs = ["data/phase_c/dose_{dose}/patched_train.npz", "{here}/train.py"]
# outputs = ["data/phase_e/dose_{dose}/{view}/gs2/wts.h5.zip"]
# parameters = {epochs = 50}

# Ready data in the place of a stage, a file for each of its outputs:
# [[stage]]
# name = "split-dose_1000"
# files = ["{here}/train.npz", "{here}/test.npz"]
"""


class StudyFile:
    """A study as its file has it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UsageError
        If it cannot be read, or holds what is not part of a study; line and key are named.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text = self._read()
        document = self._parsed()
        stages, named = document.pop(STAGE, []), document.pop(STAGES, {})
        self.options = dict(self._options(document))
        self.stages = (*self._stages(stages), *self._named_stages(named))

    def _read(self) -> str:
        try:
            return read_regular(self.path.resolve(), MAX_BYTES).decode()
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.path} cannot be read",
                why=durable.why_unreadable(error),
                do="give a study in TOML, like the one that `ptyrun study init` writes",
            ) from error

    def _parsed(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text)
        except (ValueError, RecursionError) as error:
            place = _AT.search(str(error))
            line = place[1] if place else "some line"
            raise InputError(
                f"{self.path}, {line}: this is not TOML{self._key_at(line)}",
                why=_AT.sub("", str(error)).strip() or "it is nested too deeply",
                do="correct that line; texts stand in quotes, lists in brackets",
            ) from error

    def _key_at(self, line: str) -> str:
        """Which key's value the place is in."""
        before = self._text
        if place := re.fullmatch(r"line (\d+), column (\d+)", line):
            lines = self._text.splitlines(keepends=True)
            number, column = int(place[1]), int(place[2])
            before = (
                "".join(lines[: number - 1]) + "".join(lines[number - 1 : number])[: column - 1]
            )
        keys = [*re.finditer(r"^[ \t]*([\w-]+)[ \t]*=", before, re.MULTILINE)]
        if not keys:
            return ""
        begins = before.count("\n", 0, keys[-1].start()) + 1
        return f" (key {keys[-1][1]!r}{'' if place else f', which begins in line {begins}'})"

    def _options(self, document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        known = {name_of(word): entry for entry in entries(StudyOptions) for word in _words(entry)}
        seen: dict[str, str] = {}
        for key, said, value in _flat(document):
            name = said.replace("-", "_")
            if name not in known:
                why = f"no option of a study is called {name!r}{nearest(name, known)}"
                self._refuse(key, "unknown key", why)
            entry = known[name]
            if entry.name in seen:
                self._refuse(key, "given twice", f"{seen[entry.name]!r} sets the same")
            seen[entry.name] = said
            if entry.is_many and not isinstance(value, list):
                value = [value]
            try:
                yield entry.name, self._placed(entry, entry.read(value))
            except UsageError as error:
                self._refuse(key, f"invalid value {value!s:.80}", error.why)

    def _placed(self, entry: Entry, value: Any) -> Any:
        if entry.place is None:
            return value
        return self.path.parent / Path(value).expanduser()

    def _stages(self, tables: Any) -> Iterator[OtherStage]:
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            self._refuse(STAGE, "not a list of tables", "write [[stage]] before each stage")
        after = -1
        for table in tables:
            after = self._place_of(rf"\[\[\s*{STAGE}\s*\]\]", after + 1)
            yield self._stage(table, after)

    def _named_stages(self, tables: Any) -> Iterator[OtherStage]:
        """``[stages.NAME]`` is a ``[[stage]]`` of that name."""
        if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
            self._refuse(STAGES, "not a table of tables", "write [stages.NAME] before each stage")
        for name, table in tables.items():
            after = self._place_of(rf"\[\s*{STAGES}\s*\.\s*[\"']?{re.escape(name)}[\"']?\s*\]")
            yield self._stage({"name": name, **table}, after)

    def _stage(self, table: Mapping[str, Any], after: int) -> OtherStage:
        known = (*_TEXTS, *_LISTS, "parameters")
        for key, value in table.items():
            if key not in known:
                why = f"it has {', '.join(known)}"
                self._refuse(key, "unknown key of a stage", why, after)
            self._require(key, value, after)
        if "name" not in table:
            self._refuse(STAGE, "a stage without a name", "a stage is known by its name", after)
        lists = {key: tuple(table.get(key, ())) for key in _LISTS}
        return OtherStage(
            table["name"],
            parameters=table.get("parameters", {}),
            here=self.path.parent,
            place=f"{self.path}, line {self._line(after)}",
            **lists,
        )

    def _require(self, key: str, value: Any, after: int) -> None:
        if key in _TEXTS and not isinstance(value, str):
            self._refuse(key, "not a text", "a stage's name is a text", after)
        if key in _LISTS and not (
            isinstance(value, list) and all(isinstance(each, str) for each in value)
        ):
            self._refuse(key, "not a list of texts", f'write {key} = ["..."]', after)
        if key == "parameters" and not (
            isinstance(value, dict)
            and all(isinstance(each, str | int | float | bool) for each in value.values())
        ):
            self._refuse(key, "not a table of values", "write parameters = {epochs = 50}", after)

    def _refuse(self, key: str, what: str, why: str, after: int = 0) -> NoReturn:
        """Refuse what a key says, whose line stands at the character *after* or later."""
        found = self._place_of(rf"(?:\[+\s*)?[\"']?{re.escape(key)}\b", after)
        raise UsageError(
            f"{self.path}, line {self._line(found)}, key {key!r}: {what}",
            why=why,
            do="correct that line, or leave it out",
        )

    def _place_of(self, pattern: str, after: int = 0) -> int:
        """Where the first line begins that matches, in characters; *after* if none does."""
        found = re.compile(rf"^[ \t]*{pattern}", re.MULTILINE).search(self._text, after)
        return found.start() if found else after

    def _line(self, place: int) -> int:
        return self._text.count("\n", 0, place) + 1


def _flat(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Give each key, the option that it names, and its value: one in a table begins with its name.

    ``[training]`` with ``seed = 1`` says what ``training_seed = 1`` does.
    """
    for key, value in document.items():
        if isinstance(value, dict):
            yield from ((inner, f"{key}_{inner}", each) for inner, each in value.items())
        else:
            yield key, key, value


def _words(entry: Entry) -> list[str]:
    return [word for word in (entry.word, entry.option.also) if word]


def options_of(given: Mapping[str, Any]) -> StudyOptions:
    """Make a study's options of what was said, by the options' names.

    Raises
    ------
    UsageError
        If a value cannot be used, or there is no hub.
    """
    if "hub" not in given:
        raise UsageError(
            "the study's folder is not given",
            why="neither --hub nor a study.toml was given",
            do="give --hub FOLDER, or --config study.toml",
        )
    return StudyOptions(**gather(StudyOptions, given))


def written(given: Mapping[str, Any]) -> str:
    """Give the text of a commented study.toml with *given*, and every default as a comment."""
    lines = [
        "# A study: doses x views x splits. `ptyrun study run --config study.toml` makes it.",
        "",
    ]
    for entry in study_entries():
        about = entry.help.replace(" Required.", "").replace(" May be repeated.", "")
        lines.append(f"# {about}")
        value = given.get(entry.name, entry.default)
        if value is None:
            lines.append(
                f'# {entry.name} = "..."' if entry.kind is not int else f"# {entry.name} = 1000"
            )
        else:
            text = dumps({entry.name: _plain(value)}).strip()
            is_said = entry.name in given or (entry.is_many and value)
            lines.append(text if is_said else f"# {text}")
        lines.append("")
    return "\n".join(lines) + EXAMPLE


def _plain(value: Any) -> Any:
    if isinstance(value, _TABLES):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value == int(value):
        return int(value)
    return str(value) if isinstance(value, Path) else value


def write_new(path: Path, text: str) -> None:
    """Write a study.toml where there is none.

    Raises
    ------
    UsageError
        If something stands there.
    """
    require_free(path)
    durable.make_folder(path.parent)
    durable.write_text(path, text)
