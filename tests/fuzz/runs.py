"""How are the documents of a run spoilt? All seals and digests are made anew: they are no proof."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import google_crc32c

from ptyrun.background.proof import new_token
from ptyrun.comparison.completion import Completion
from ptyrun.comparison.counts import Counts
from ptyrun.comparison.tracked import TrackedProcess
from ptyrun.engine.manifest import Manifest
from ptyrun.host import checksums
from ptyrun.host.documents import digest_of, text_of
from ptyrun.host.processes import Process, pid_namespace
from ptyrun.paths import RunPaths
from tests.fuzz import scans
from tests.fuzz.calling import ptyrun
from tests.fuzz.kinds import Kind, Said
from tests.fuzz.mutation import bytes_of, json_of, with_depths

WHEN = "2026-01-01T00:00:00+00:00"
_TAIL = len(b',"crc":"01234567"}')


def sealed(document: Any) -> str:
    """Seal as a document does, whatever it holds."""
    if isinstance(document, dict):
        document.pop("sha256", None)
        digest = hashlib.sha256(text_of(document).encode(errors="replace")).hexdigest()
        document = {**document, "sha256": digest}
    return with_depths(json.dumps(document, indent=1, sort_keys=True) + "\n")


def line_of(document: Any) -> bytes:
    """Write a ledger's line whose CRC is right."""
    if not isinstance(document, dict):
        return with_depths(json.dumps(document)).encode()
    document.pop("crc", None)
    body = with_depths(json.dumps(document, separators=(",", ":")))[:-1].encode()
    return b'%b,"crc":"%08x"}' % (body, google_crc32c.value(body))


class OfRun(Kind):
    """A document of a finished run, made of two predictors and a reconstruction."""

    @classmethod
    def folder(cls) -> str:
        return "run"

    @classmethod
    def make(cls, samples: Path) -> None:
        folder = samples / "run"
        if folder.exists():
            return
        scans.write_inputs(samples / "inputs")
        done = ptyrun(*scans.comparison(samples / "inputs", folder))
        assert done.code == 0, done.stderr
        paths = RunPaths(folder)
        digest = Manifest.load(paths.manifest).digest
        own, token, log = Process.current(), new_token(), "logs/tracked-1.log"
        (folder / log).write_text("window 1\n\x1b[31mred\x1b[0m\n")
        counts = Counts(12, 24, 4, 8)
        TrackedProcess(
            session=token,
            host=own.host,
            boot_id=own.boot_id,
            pid=own.pid,
            process_started_s=own.started_s,
            pid_namespace=pid_namespace(),
            argv=("ptyrun", "start"),
            log=log,
            manifest_digest=digest,
            started_at=WHEN,
            ended_at=WHEN,
            exit_code=1,
            reason="it failed",
            evidence=log,
            counts=counts,
            windows=3,
        ).save(paths.process)
        artifacts = {"results.json": "0" * 64, "objects.zarr/": "1" * 64}
        Completion(token, 0, "complete", "", digest, counts, artifacts, 3, WHEN, WHEN).save(
            paths.completion
        )

    @property
    def paths(self) -> RunPaths:
        return RunPaths(self.place)

    def is_good(self, said: Said) -> bool:
        return said.code == 0 or (said.words[0] == "wait" and said.code == 1)

    def ptyrun(self, command: str, *words: str) -> Said:
        return ptyrun(command, str(self.place), *words)

    def export(self, rng: random.Random) -> Said:
        suffix = rng.choice(("csv", "csv", "npz", "h5"))
        return self.ptyrun("export", f"--output={self.place.parent}/out.{suffix}", "--overwrite")

    def summed(self) -> None:
        """Let the checksums of the results be those of the files."""
        with suppress(Exception):
            names = checksums.vouched(self.place)
            checksums.write(self.place, [self.place / name for name in names])


class OfManifest(OfRun):
    """The plan; the ledger follows it, so that its chunks still count."""

    NAME = "manifest"
    WEIGHT = 4

    def spoil(self, rng: random.Random) -> None:
        if rng.random() < 0.1:
            self.paths.manifest.write_bytes(bytes_of(rng, self.paths.manifest.read_bytes()))
            return
        before = json.loads(self.paths.manifest.read_text())
        after = json_of(rng, before)
        body = (
            {k: v for k, v in after.items() if k not in ("digest", "sha256")}
            if isinstance(after, dict)
            else after
        )
        if not isinstance(body, dict):
            self.paths.manifest.write_text(with_depths(json.dumps(body)))
            return
        identity = {k: v for k, v in body.items() if k != "sources"}
        body["digest"] = digest_of(identity)
        body["sha256"] = digest_of(body)
        text = json.dumps(body, indent=1, sort_keys=True) + "\n"
        self.paths.manifest.write_text(with_depths(text))
        if rng.random() < 0.9:
            self._follow(before, body)

    def _follow(self, before: Any, after: Any) -> None:
        prints: dict[str, tuple[Any, str]] = {}
        with suppress(TypeError, KeyError, AttributeError, IndexError):
            for old, new in zip(before["arms"], after["arms"], strict=False):
                prints[digest_of(old)[:16]] = (new["name"], digest_of(new)[:16])
        for file in self.paths.ledger.glob("*.jsonl"):
            lines = []
            for line in file.read_bytes().splitlines():
                document = json.loads(line)
                if "manifest" in document:
                    document["manifest"] = after["digest"]
                if document.get("fingerprint") in prints:
                    document["arm"], document["fingerprint"] = prints[document["fingerprint"]]
                lines.append(line_of(document) + b"\n")
            file.write_bytes(b"".join(lines))
        results = json.loads(self.paths.results.read_text())
        results["manifest_digest"] = after["digest"]
        self.paths.results.write_text(json.dumps(results))
        self.summed()

    def read(self, rng: random.Random) -> Iterator[Said]:
        yield self.ptyrun("status", "--json")
        yield from _one_of(self, rng)


def _one_of(kind: OfRun, rng: random.Random) -> Iterator[Said]:
    """One of the commands, those that take seconds seldom."""
    match rng.randrange(60):
        case 0:
            yield kind.ptyrun("report", "--force")
        case 1:
            yield kind.ptyrun("finalize", "--adopt", "--force")
        case 2:
            yield kind.ptyrun("preview")
        case number if number < 8:
            yield kind.ptyrun("verify", "--repair")
            yield kind.ptyrun("run", "--adopt", "--quiet")
        case number if number < 16:
            yield kind.ptyrun("run", "--adopt", "--quiet")
        case number if number < 20:
            yield kind.ptyrun("prune")
            yield kind.ptyrun("status")
        case number if number < 28:
            yield kind.export(rng)
        case number if number < 44:
            yield kind.ptyrun("verify")


class OfLedger(OfRun):
    """The lines of a session's file."""

    NAME = "ledger"
    WEIGHT = 5

    def spoil(self, rng: random.Random) -> None:
        files = sorted(self.paths.ledger.glob("*.jsonl"))
        file = rng.choice(files)
        if rng.random() < 0.1:
            file.write_bytes(bytes_of(rng, file.read_bytes()))
            return
        lines = file.read_bytes().splitlines()
        if rng.random() < 0.3:
            lines = _played(rng, lines)
        for _ in range(rng.choice((1, 1, 2, 3))):
            at = rng.randrange(len(lines))
            with suppress(RecursionError):  # it was chosen before
                lines[at] = line_of(json_of(rng, json.loads(lines[at])))
        if rng.random() < 0.1:
            rng.shuffle(lines)
        text = b"\n".join(lines) + b"\n"
        (file if rng.random() < 0.7 else file.with_name("other.jsonl")).write_bytes(text)

    def read(self, rng: random.Random) -> Iterator[Said]:
        yield self.ptyrun("status", "--json")
        yield from _one_of(self, rng)


def _played(rng: random.Random, lines: list[bytes]) -> list[bytes]:
    """Add lines of events that a good session has not."""
    commits = [json.loads(line) for line in lines if b'"committed"' in line or b'"commit"' in line]
    arm = commits[0] if commits else {"arm": "pinn", "fingerprint": "0" * 16, "chunk": 0}
    who = {"arm": arm["arm"], "fingerprint": arm["fingerprint"]}
    events: list[dict[str, Any]] = [
        {"event": name, **fields}
        for name, fields in (
            ("chunk_failed", {"arm": arm["arm"], "chunk": 1, "attempt": 1, "error": "x",
                              "traceback": "t", "at_s": 1.0, "generation": 0}),
            ("chunk_forgotten", {"arm": arm["arm"], "chunk": 1, "generation": 3, "reason": "x"}),
            ("chunk_start", {"arm": arm["arm"], "chunk": 2, "generation": 0, "at_s": 1.0,
                             "stretch": 3, "together": 2}),
            ("pruned", {**who, "generation": 2, "chunks": 2}),
            ("reused", {**who, "chunks": 2, "manifest": "0" * 64, "source": "/x"}),
            ("halved", {**who, "before_items": 4, "after_items": 2, "why": "memory", "at_s": 1.0}),
            ("disregarded", {"session": "x", "offset": 0, "length": 2, "crc32c": "00000000"}),
        )
    ]  # fmt: skip
    known = {json.loads(line)["event"] for line in lines}
    from ptyrun.engine import records

    names = {kind.__name__.lower(): name for name, kind in records._EVENTS.items()}
    for event in rng.sample(events, rng.randrange(1, len(events))):
        short = event["event"].removeprefix("chunk_").replace("start", "started")
        event["event"] = names.get(short, event["event"])
        lines.insert(rng.randrange(1, len(lines) + 1), line_of(event))
    assert known
    return lines


class OfResults(OfRun):
    """The figures."""

    NAME = "results"
    WEIGHT = 2

    def spoil(self, rng: random.Random) -> None:
        path = self.paths.results
        if rng.random() < 0.1:
            path.write_bytes(bytes_of(rng, path.read_bytes()))
        else:
            path.write_text(with_depths(json.dumps(json_of(rng, json.loads(path.read_text())))))
        self.summed()

    def read(self, rng: random.Random) -> Iterator[Said]:
        yield self.export(rng)
        yield self.ptyrun("status")
        if rng.random() < 0.1:
            yield self.ptyrun("report", "--force")


class OfProcess(OfRun):
    """Which process works in the background."""

    NAME = "process"
    WEIGHT = 2

    def spoil(self, rng: random.Random) -> None:
        self._spoil(rng, self.paths.process)

    def _spoil(self, rng: random.Random, path: Path) -> None:
        if rng.random() < 0.1:
            path.write_bytes(bytes_of(rng, path.read_bytes()))
            return
        document = json_of(rng, json.loads(path.read_text()))
        if isinstance(document, dict) and rng.random() < 0.3:
            document["exit_code"] = None
        path.write_text(sealed(document), errors="replace")

    def read(self, rng: random.Random) -> Iterator[Said]:
        yield self.ptyrun("logs")
        yield self.ptyrun("wait", "--timeout=10ms")
        yield self.ptyrun(rng.choice(("status", "status", "status", "verify")))


class OfCompletion(OfProcess):
    """That all is done, and the digests of what was left."""

    NAME = "completion"
    WEIGHT = 1

    def spoil(self, rng: random.Random) -> None:
        tracked = json.loads(self.paths.process.read_text())
        tracked["exit_code"] = rng.choice((None, 0))
        self.paths.process.write_text(sealed(tracked))
        self._spoil(rng, self.paths.completion)


class OfArrays(OfRun):
    """What Zarr is told of arrays, and their bytes."""

    NAME = "arrays"
    WEIGHT = 2

    def spoil(self, rng: random.Random) -> None:
        store = rng.choice((self.paths.objects, self.paths.arrays))
        files = sorted(path for path in store.rglob("*") if path.is_file())
        documents = [path for path in files if path.name == "zarr.json"]
        path = rng.choice(documents if rng.random() < 0.8 else files)
        match rng.randrange(10):
            case 0:
                path.unlink()
            case 1:
                older = {".zgroup": '{"zarr_format": 2}', ".zarray": json.dumps(_OF_ZARR_2)}
                path.unlink()
                for name, text in older.items():
                    path.with_name(name).write_text(text)
            case 2:
                path.write_bytes(bytes_of(rng, path.read_bytes()))
            case _ if path.name == "zarr.json":
                changed = json_of(rng, json.loads(path.read_text()))
                path.write_text(with_depths(json.dumps(changed)))
            case _:
                path.write_bytes(bytes_of(rng, path.read_bytes()))
        self.summed()

    def read(self, rng: random.Random) -> Iterator[Said]:
        yield self.export(rng)
        yield from _one_of(self, rng)


_OF_ZARR_2 = {
    "zarr_format": 2, "shape": [2**40, 2**40], "chunks": [2**40, 2**40], "dtype": "|O",
    "compressor": {"id": "blosc"}, "filters": [{"id": "pickle"}], "fill_value": None, "order": "C",
}  # fmt: skip


class OfCache(OfRun):
    """Hints, which are believed or not, but never an error; and all other files of a run."""

    NAME = "hints"
    WEIGHT = 2

    def spoil(self, rng: random.Random) -> None:
        files = sorted(
            path
            for path in self.place.rglob("*")
            if path.is_file() and "arrays.zarr" not in path.parts and path != self.paths.manifest
        )
        path = rng.choice(files)
        data = path.read_bytes()
        try:
            document = json.loads(data)
        except ValueError:
            path.write_bytes(bytes_of(rng, data))
        else:
            path.write_text(sealed(json_of(rng, document)), errors="replace")
        if rng.random() < 0.5:
            self.summed()

    def read(self, rng: random.Random) -> Iterator[Said]:
        yield self.ptyrun("status")
        yield from _one_of(self, rng)


RUNS: tuple[type[Kind], ...] = (
    *(OfManifest, OfLedger, OfResults, OfProcess, OfCompletion, OfArrays, OfCache),
)
