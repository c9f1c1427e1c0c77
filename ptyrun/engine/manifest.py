"""What will be computed?

The manifest is written once by ``plan`` and never edited. Its digest is the run's identity: every
ledger file quotes it. Where the inputs lie (`Manifest.sources`) is not part of the identity, so
that a run can move.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from ptyrun.config import Fact
from ptyrun.engine import plan_rules
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.folder import require_plain
from ptyrun.errors import DamageError, InputError, SchemaError, UsageError
from ptyrun.host import durable
from ptyrun.host.documents import digest_of
from ptyrun.host.regular import read_regular
from ptyrun.host.typed_json import build, parse_object
from ptyrun.paths import RunPaths

MAX_BYTES = 2**24  # a manifest has some KiB


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
class Manifest:
    """What will be computed.

    Parameters
    ----------
    shared : mapping
        Facts that every arm depends on (scan digest, seeds, compression, versions).
    arms : tuple of ArmPlan
    sources : mapping
        Where the inputs lay when the run was planned; not part of the identity.
    """

    SCHEMA: ClassVar[int] = 1

    shared: Mapping[str, Fact]
    arms: tuple[ArmPlan, ...]
    sources: Mapping[str, Fact] = field(default_factory=dict)

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
        document = self._document()
        del document["sources"]
        return digest_of(document)

    def arm(self, name: str) -> ArmPlan:
        """Return the arm called *name*, or raise `UsageError` with the names there are."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise UsageError(
            f"the run has no arm {name!r}",
            why=f"its arms are {', '.join(arm.name for arm in self.arms)}",
            do="name one of these",
        )

    def _document(self) -> dict[str, Any]:
        return {
            "schema": self.SCHEMA,
            "shared": dict(self.shared),
            "arms": [asdict(arm) for arm in self.arms],
            "sources": dict(self.sources),
        }

    def to_json(self) -> str:
        """Canonical text: equal manifests are equal bytes. ``sha256`` covers all other fields."""
        document = {**self._document(), "digest": self.digest}
        document["sha256"] = digest_of(document)
        return json.dumps(document, sort_keys=True, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str = "the manifest") -> Self:
        """Read what `to_json` wrote; *name* is what errors call it.

        Raises
        ------
        SchemaError
            If it is no manifest that a plan can have written, or one of a newer ptyrun.
        DamageError
            If a single character of it was changed since it was written.
        """
        try:
            document = parse_object(text)
            schema, sha256 = document["schema"], document.pop("sha256")
        except (ValueError, KeyError) as error:
            raise _not_a_manifest(error, name) from error
        if not isinstance(schema, int) or schema > cls.SCHEMA:
            raise SchemaError(
                f"{name} has schema {schema!r:.40}",
                why=f"this ptyrun reads schemas up to {cls.SCHEMA}",
                do="upgrade ptyrun; the run was not touched",
            )
        try:
            if sha256 != digest_of(document):
                why = "its checksum does not match: it was edited, or the disk lost a bit"
                raise _damaged(why, name)
            del document["schema"], document["digest"]
            manifest = cls._described(document)
        except (KeyError, ValueError, RecursionError, UsageError) as error:
            raise _not_a_manifest(error, name) from error
        if manifest.to_json() != text:
            raise _damaged("its text is not what ptyrun writes: it was edited", name)
        return manifest

    @classmethod
    def _described(cls, document: dict[str, Any]) -> Self:
        manifest = build(cls, document)
        plan_rules.check(manifest.arms, manifest.shared, manifest.sources)
        arms = tuple(
            replace(arm, facts=_Facts.of(f"arm {arm.name}", arm.facts)) for arm in manifest.arms
        )
        shared = _Facts.of("what all arms share", manifest.shared)
        return cls(shared, arms, _Facts.of("the sources", manifest.sources))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the manifest at *path*.

        Raises
        ------
        InputError
            If there is none, or it is a link or no regular file.
        SchemaError, DamageError
            As `from_json`.
        """
        try:
            data = read_regular(path, MAX_BYTES)
        except FileNotFoundError as error:
            raise InputError(
                f"{path.parent} is not a planned run",
                why=f"it holds no {path.name}",
                do="plan it first with `ptyrun plan` or `ptyrun compare`, or correct the path",
            ) from error
        except OSError as error:
            raise durable.refusal(path, error, "read") from error
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise _not_a_manifest(error, str(path)) from error
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
        durable.write_atomic(path, self.to_json().encode())


def _damaged(why: str, name: str) -> DamageError:
    return DamageError(
        f"{name} is not what was written",
        why=why,
        do="run `ptyrun plan` again with this run's configuration, or restore it",
    )


def _not_a_manifest(error: Exception, name: str) -> SchemaError:
    why = f"it lacks {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
    return SchemaError(
        f"{name} is not a manifest",
        why=why,
        do="run `ptyrun plan` again with the configuration of this run, or restore the file",
    )


class _Facts(dict[str, Fact]):
    """Facts of a manifest from the disk: one that is needed and not there is named."""

    _whose = ""

    @classmethod
    def of(cls, whose: str, facts: Mapping[str, Fact]) -> Self:
        """Facts of what *whose* names."""
        made = cls(facts)
        made._whose = whose
        return made

    def __missing__(self, name: str) -> Fact:
        raise SchemaError(
            f"the manifest does not say {name!r} of {self._whose}",
            why="no plan of ptyrun leaves it out",
            do="run `ptyrun plan` again with the configuration of this run, or restore the file",
        )


def changes(old: Manifest, new: Manifest) -> list[Change]:
    """In which facts do two manifests differ? Sources do not count.

    Returns
    -------
    list of Change
        Shared facts first, then arm by arm; empty exactly if the digests are equal.
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
    if not found and old.digest != new.digest:
        orders = [",".join(arm.name for arm in manifest.arms) for manifest in (old, new)]
        found.append(Change(None, "order of the arms", *orders))
    return found


def _facts(arm: ArmPlan) -> dict[str, Fact]:
    own: dict[str, Fact] = {
        "label": arm.label,
        "kind": arm.kind,
        "n_items": arm.n_items,
        "chunk_items": arm.chunk_items,
        "item_shape": "x".join(map(str, arm.item_shape)),
        "dtype": arm.dtype,
    }
    return {**own, **arm.facts, **{f"{path} (sha256)": d for path, d in arm.index_sha256.items()}}


def _differences(
    old: Mapping[str, Fact], new: Mapping[str, Fact]
) -> Iterator[tuple[str, Fact, Fact]]:
    for fact in sorted({*old, *new}):
        was, now = old.get(fact), new.get(fact)
        if (was, type(was)) != (now, type(now)) or (fact in old) != (fact in new):
            yield fact, was, now
