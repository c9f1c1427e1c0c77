"""What will be computed?

The manifest is written once by ``plan`` and never edited. Its digest is the run's identity: every
ledger file quotes it. Where the inputs lie (`Manifest.sources`) is not part of the identity, so
that a run can move.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from ptyrun.config import Fact
from ptyrun.engine import plan_rules
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.folder import require_plain
from ptyrun.errors import (
    DamageError,
    GarbledError,
    SchemaError,
    UnplannedError,
    UsageError,
    refuse_unknown,
)
from ptyrun.host import durable
from ptyrun.host.documents import AsRead, Document, digest_of, schema_of, text_of, why_none
from ptyrun.host.regular import read_regular
from ptyrun.host.typed_json import build, parse_object
from ptyrun.paths import RunPaths
from ptyrun.texts import enumerated

MAX_BYTES = 2**24  # a manifest has some KiB
_NO_IDENTITY = frozenset({"sources", "digest"})
Said = TypeVar("Said", bound=Fact)


@dataclass(frozen=True)
class Change:
    """One fact in which two manifests differ; ``arm`` is None for what all arms share."""

    arm: str | None
    fact: str
    old: Fact
    new: Fact

    def __str__(self) -> str:
        where = f"{self.arm}: " if self.arm else ""
        return f"{where}{self.fact} was {_shown(self.old)}, is {_shown(self.new)}"


def _shown(fact: Fact) -> str:
    if isinstance(fact, str) and len(fact) == 64 and set(fact) <= set("0123456789abcdef"):
        return f"{fact[:12]}…"
    return "absent" if fact is None else str(fact)


@dataclass(frozen=True)
class Manifest(Document):
    """What will be computed.

    Its sources may be written anew into a document that stays of its schema: an upgrade leaves
    alone what it would make of them.

    Parameters
    ----------
    shared : mapping
        Facts that every arm depends on (scan digest, seeds, compression, versions).
    arms : tuple of ArmPlan
    sources : mapping
        Where the inputs lay when the run was planned; not part of the identity.
    as_read : AsRead, optional
        What the file says, without arms and sources, perhaps in the words of an older ptyrun.
    """

    NAME: ClassVar[str] = "the manifest"
    SCHEMA: ClassVar[int] = 1
    REMEDY: ClassVar[str] = (
        "run `ptyrun plan` again with the configuration of this run (what is committed stays), or "
        "restore the file"
    )

    shared: Mapping[str, Fact]
    arms: tuple[ArmPlan, ...]
    sources: Mapping[str, Fact] = field(default_factory=dict)
    as_read: AsRead | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse two arms of one name: they would share a folder."""
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise UsageError(
                f"two arms have the same name: {', '.join(names)}",
                why="an arm's name is its folder",
                do="give each arm a name of its own",
            )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the identity: everything but the sources."""
        return digest_of(self._identity())

    def arm(self, name: str) -> ArmPlan:
        """Return the arm called *name*, or raise `UsageError` with the names there are."""
        arms = {arm.name: arm for arm in self.arms}
        refuse_unknown([name], arms, "there is no arm {}")
        return arms[name]

    def with_arms_of(self, planned: Manifest) -> Self:
        """Take arms that *planned* has alike as they are stored there: their chunks still count."""
        there = {arm.name: arm for arm in planned.arms if arm.as_read and arm.as_read.is_current}

        def kept(arm: ArmPlan) -> ArmPlan:
            before = there.get(arm.name, arm)
            return before if before.meaning == arm.meaning else arm

        return replace(self, arms=tuple(map(kept, self.arms)))

    def _identity(self) -> dict[str, Any]:
        arms = [arm.document for arm in self.arms]
        if self.as_read is not None and self.as_read.meaning == _meaning(self.shared, self.arms):
            return {**self.as_read.document, "arms": arms}
        return {"schema": self.SCHEMA, "shared": self.shared, "arms": arms}

    def to_json(self) -> str:
        """Canonical text: equal manifests are equal bytes. ``sha256`` covers all other fields."""
        document = {**self._identity(), "sources": dict(self.sources), "digest": self.digest}
        return text_of({**document, "sha256": digest_of(document)})

    @classmethod
    def stored(cls, text: str, name: str) -> dict[str, Any]:
        """Read what is stored.

        Raises
        ------
        DamageError
            If a single character of it was changed since it was written.
        """
        document = parse_object(text)
        sha256 = document.pop("sha256")
        schema, is_sealed = schema_of(document), sha256 == digest_of(document)
        if is_sealed and schema > cls.SCHEMA:
            return document
        if schema > cls.SCHEMA:
            raise SchemaError(
                f"{name} has schema {schema}, and its checksum does not match",
                why=f"this ptyrun reads schemas up to {cls.SCHEMA}; it was edited, the disk lost a "
                "bit, or a newer ptyrun computes it differently",
                do="restore the file, or upgrade ptyrun",
            )
        if not is_sealed:
            why = "its checksum does not match: it was edited, or the disk lost a bit"
            raise _damaged(why, name)
        if text_of({**document, "sha256": sha256}) != text:
            raise _damaged("its text is not what ptyrun writes: it was edited", name)
        identity = {each: document[each] for each in document if each not in _NO_IDENTITY}
        if document["digest"] != digest_of(identity):
            raise _damaged("its digest is not that of what it says", name)
        return document

    @classmethod
    def described(cls, stored: dict[str, Any]) -> Self:
        """Make what a stored manifest says, bound to the identity that it has as it is stored."""
        document = cls.upgraded(stored)
        del document["digest"]
        try:
            made = build(cls, document)
            plan_rules.check(made.arms, made.shared, made.sources)
        except UsageError as error:
            raise ValueError(str(error.args[0])) from error
        arms = tuple(
            replace(
                arm,
                facts=_Facts.of(f"arm {arm.name}", arm.facts),
                index_sha256=_Facts.of(f"arm {arm.name}", arm.index_sha256),
                as_read=AsRead(as_stored, arm.meaning, is_current=as_stored == upgraded),
            )
            for arm, as_stored, upgraded in zip(
                made.arms, stored["arms"], document["arms"], strict=True
            )
        )
        shared = _Facts.of("what all arms share", made.shared)
        others = {each: stored[each] for each in stored if each not in {"arms", *_NO_IDENTITY}}
        as_read = AsRead(others, _meaning(shared, arms))
        return cls(shared, arms, _Facts.of("the sources", made.sources), as_read)

    @classmethod
    def refusal(cls, name: str, error: Exception) -> SchemaError:
        """Say that a file is not a manifest."""
        return GarbledError(f"{name} is not a manifest", why=why_none(error), do=cls.REMEDY)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the manifest at *path*.

        Raises
        ------
        InputError
            If there is none, or it is a link or no regular file.
        SchemaError, DamageError
            As `from_json` and `stored`.
        """
        try:
            data = read_regular(path, MAX_BYTES)
        except FileNotFoundError as error:
            raise unplanned(path) from error
        except OSError as error:
            raise durable.refusal(path, error, "read") from error
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise cls.refusal(str(path), error) from error
        return cls.from_json(text, str(path))

    @classmethod
    def of(cls, paths: RunPaths) -> Self:
        """Read the manifest of a planned run, and see that the run is made of plain files.

        Raises
        ------
        InputError, SchemaError, DamageError
            As `load`, and if anything of the run is a link or no regular file.
        """
        manifest = cls.load(paths.manifest)
        require_plain(paths, [arm.name for arm in manifest.arms])
        return manifest

    def save(self, path: Path) -> None:
        """Write the manifest, all or nothing, on disk for good."""
        durable.make_folder(path.parent)
        super().save(path)


def _meaning(shared: Mapping[str, Fact], arms: Iterable[ArmPlan]) -> str:
    return digest_of([shared, [arm.meaning for arm in arms]])


def _damaged(why: str, name: str) -> DamageError:
    return DamageError(
        f"{name} was changed after it was written",
        why=why,
        do="run `ptyrun plan` again with this run's configuration, or restore it",
    )


class _Facts(dict[str, Said]):
    """Facts of a manifest from the disk: one that is needed and not there is named."""

    _whose = ""

    @classmethod
    def of(cls, whose: str, facts: Mapping[str, Said]) -> Self:
        """Facts of what *whose* names."""
        made = cls(facts)
        made._whose = whose
        return made

    def __missing__(self, name: str) -> Said:
        raise SchemaError(
            f"the manifest does not say {name!r} of {self._whose}",
            why="every plan of ptyrun has it",
            do=Manifest.REMEDY,
        )


def changes(old: Manifest, new: Manifest) -> list[Change]:
    """In which facts do two manifests differ? Sources do not count.

    Returns
    -------
    list of Change
        Shared facts first, then arm by arm; empty exactly if the same is to be computed, which
        an older ptyrun may have said in other words, under another digest.
    """
    found = [Change(None, *difference) for difference in _differences(old.shared, new.shared)]
    before = {arm.name: arm for arm in old.arms}
    after = {arm.name: arm for arm in new.arms}
    for name in [*before, *(name for name in after if name not in before)]:
        if name in before and name in after:
            differences = _differences(_facts(before[name]), _facts(after[name]))
            found += [Change(name, *difference) for difference in differences]
        else:
            presence = ("absent", "present") if name in after else ("present", "absent")
            found.append(Change(name, "arm", *presence))
    if not found and list(before) != list(after):
        found.append(Change(None, "order of the arms", ",".join(before), ",".join(after)))
    return found


def _facts(arm: ArmPlan) -> dict[str, Fact]:
    mappings = {"facts", "index_sha256"}
    own = {
        entry.name: getattr(arm, entry.name)
        for entry in fields(arm)
        if entry.compare and entry.name not in mappings
    }
    digests = {f"{path} (sha256)": sha256 for path, sha256 in arm.index_sha256.items()}
    return {**own, "item_shape": "x".join(map(str, arm.item_shape)), **arm.facts, **digests}


def _differences(
    old: Mapping[str, Fact], new: Mapping[str, Fact]
) -> Iterator[tuple[str, Fact, Fact]]:
    for fact in sorted({*old, *new}):
        was, now = old.get(fact), new.get(fact)
        if (was, type(was)) != (now, type(now)) or (fact in old) != (fact in new):
            yield fact, was, now


def unplanned(path: Path) -> UnplannedError:
    """Say that there is no manifest at *path*, and which runs lie in the folder."""
    folder, plan = path.parent, "plan it first with `ptyrun plan` or `ptyrun compare`"
    why, do = f"it holds no {path.name}", f"{plan}, or correct the path"
    if not folder.is_dir():
        why = "there is no folder of that name"
    elif runs := sorted(islice((each.parent.name for each in folder.glob(f"*/{path.name}")), 20)):
        why += f"; it holds {'a run' if len(runs) == 1 else 'runs'}: {enumerated(runs, 5)}"
        do = "name one of these"
    return UnplannedError(f"{folder} is not a planned run", why=why, do=do, folder=str(folder))
