"""Does a newer ptyrun go on with an older run, and does an older one say what is newer?"""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import zarr

from ptyrun.engine.manifest import Manifest
from ptyrun.errors import ExitCode, NewerError
from ptyrun.paths import RunPaths
from ptyrun.results import Results
from tests.formats import write
from tests.formats.newer import VERSION, NewerPtyrun
from tests.formats.newer_documents import identity, sha256, written
from tests.formats.test_formats import FORMATS
from tests.scans import write_network, write_reconstruction, write_scan
from tests.studies import ptyrun

LATEST = FORMATS[-1]
NEWER = "written by a newer ptyrun"


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> NewerPtyrun:
    copy = NewerPtyrun.copy(tmp_path_factory.mktemp("newer"))
    assert copy.runs_the_copy()
    return copy


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs of the kept run, its networks made again."""
    folder = tmp_path_factory.mktemp("inputs")
    for name in ("scan.npz", "recon.npz"):
        shutil.copy(LATEST / name, folder)
    write.write_networks(folder)
    return folder


@pytest.fixture
def done(tmp_path: Path) -> RunPaths:
    """The kept run, as it is."""
    paths = RunPaths(tmp_path / "run")
    shutil.unpack_archive(LATEST / "run.zip", paths.root)
    return paths


@pytest.fixture
def half_done(done: RunPaths, inputs: Path) -> RunPaths:
    """The same before its last session, of the networks that are at hand."""
    of_networks(done, inputs)
    last = max(done.ledger.iterdir())
    for line in last.read_text().splitlines():
        if (event := json.loads(line))["event"] == "commit":
            (done.arrays / event["key"]).unlink()
    last.unlink()
    for made in done.root.iterdir():
        if made not in (done.manifest, done.ledger, done.arrays):
            shutil.rmtree(made) if made.is_dir() else made.unlink()
    return done


def of_networks(paths: RunPaths, inputs: Path) -> None:
    """Put these networks and this PyTorch into manifest and ledger, in their own words."""
    document = json.loads(paths.manifest.read_text())
    del document["sha256"]
    renamed: dict[str, str] = {}
    for arm in document["arms"]:
        before = sha256(arm)[:16]
        if (network := inputs / arm["name"] / "model.ts").exists():
            digest = hashlib.sha256(network.read_bytes()).hexdigest()
            arm["facts"] |= {"weights_sha256": digest, "framework": f"torch {version('torch')}"}
        renamed[before] = sha256(arm)[:16]
    renamed[document["digest"]] = document["digest"] = identity(document)
    document["sha256"] = sha256(document)
    paths.manifest.write_text(json.dumps(document, sort_keys=True, indent=1) + "\n")
    for path in paths.ledger.iterdir():
        path.write_text("".join(relabelled(line, renamed) for line in lines(path)))


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def relabelled(line: str, renamed: dict[str, str]) -> str:
    body, _, _ = line.rpartition(',"crc":')
    for before, after in renamed.items():
        body = body.replace(f'"{before}"', f'"{after}"')
    return written(body)


def chunks(paths: RunPaths) -> dict[str, tuple[int, bytes]]:
    """Time and bytes of each chunk's file."""
    return {
        file.relative_to(paths.arrays).as_posix(): (file.stat().st_mtime_ns, file.read_bytes())
        for file in paths.arrays.glob("*/patches/c.*")
    }


def files(paths: RunPaths) -> dict[str, bytes]:
    return {
        file.relative_to(paths.root).as_posix(): file.read_bytes()
        for file in paths.root.rglob("*")
        if file.is_file() and paths.claims not in file.parents
    }


def test_a_newer_ptyrun_opens_an_older_run(newer: NewerPtyrun, done: RunPaths) -> None:
    before = files(done)
    status = json.loads(newer("status", str(done.root), "--json").stdout)
    assert (status["state"], status["finalized"]) == ("complete", True)
    verified = newer("verify", str(done.root))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    reported = newer("report", str(done.root), "--force")
    assert reported.returncode == 0, reported.stderr
    after = files(done)
    for name in ("manifest.json", *(name for name in before if name.startswith("ledger/"))):
        assert after[name] == before[name]


def test_a_newer_ptyrun_finishes_an_older_run_without_computing_a_committed_chunk_again(
    newer: NewerPtyrun, half_done: RunPaths, inputs: Path, tmp_path: Path
) -> None:
    planned, before = Manifest.load(half_done.manifest), chunks(half_done)
    sessions = {path.stem for path in half_done.ledger.iterdir()}
    assert len(before) == 4
    finished = newer(*write.words(inputs, half_done.root))
    assert finished.returncode == 0, finished.stderr
    stored = json.loads(half_done.manifest.read_text())
    assert (stored["schema"], stored["digest"]) == (1, planned.digest)
    assert "tilt_deg" not in half_done.manifest.read_text()
    assert chunks(half_done).items() >= before.items()
    assert committed(half_done, sessions) == [("baseline", 1), ("baseline", 2)]
    verified = newer("verify", str(half_done.root))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    same_patches(half_done, tmp_path)


def committed(paths: RunPaths, before: set[str]) -> list[tuple[str, int]]:
    """Which chunks were begun, and committed, by sessions that are not among *before*."""
    told = [
        json.loads(line)
        for path in paths.ledger.iterdir()
        if path.stem not in before
        for line in lines(path)
    ]
    done = {
        event: sorted((line["arm"], line["chunk"]) for line in told if line["event"] == event)
        for event in ("start", "commit")
    }
    assert done["start"] == done["commit"]
    return done["commit"]


def same_patches(paths: RunPaths, scratch: Path) -> None:
    kept = RunPaths(scratch / "kept")
    shutil.unpack_archive(LATEST / "run.zip", kept.root)
    for arm in ("pinn", "baseline"):
        now, then = (
            np.asarray(zarr.open_array(each.arrays, path=f"{arm}/patches", mode="r")[...])
            for each in (paths, kept)
        )
        assert np.allclose(now, then, rtol=1e-5, atol=1e-6)


def test_an_arm_that_stays_keeps_its_chunks_when_a_newer_ptyrun_plans_another_one_anew(
    newer: NewerPtyrun, half_done: RunPaths, inputs: Path, tmp_path: Path
) -> None:
    sessions = {path.stem for path in half_done.ledger.iterdir()}
    pinn = Manifest.load(half_done.manifest).arm("pinn")
    other = tmp_path / "inputs"
    shutil.copytree(inputs, other)
    write_network(other / "baseline", 1, seed=5, patch_px=write.PATCH_PX)
    words = [*write.words(other, half_done.root), "--invalidate=baseline"]
    finished = newer(*words)
    assert finished.returncode == 0, finished.stderr
    assert committed(half_done, sessions) == [("baseline", chunk) for chunk in range(3)]
    stored = json.loads(half_done.manifest.read_text())
    assert stored["schema"] == 2
    arms = {arm["name"]: arm for arm in stored["arms"]}
    assert sha256(arms["pinn"])[:16] == pinn.fingerprint
    assert arms["baseline"]["tilt_deg"] == 0.0
    verified = newer("verify", str(half_done.root))
    assert verified.returncode == 0, verified.stdout + verified.stderr


COMMANDS = [["status"], ["run", *write.TRUST], ["verify"], ["verify", "--repair"]]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_run_that_a_newer_ptyrun_planned_is_called_newer_and_left_alone(
    words: list[str], newer_run: RunPaths
) -> None:
    before = files(newer_run)
    command, *more = words
    done = ptyrun(command, str(newer_run.root), *more)
    assert done.returncode == ExitCode.USAGE
    assert f"manifest.json has schema 2: it was {NEWER}" in done.stderr
    assert "schemas up to 1" in done.stderr
    assert "upgrade ptyrun" in done.stderr
    assert "damage" not in done.stdout + done.stderr
    assert files(newer_run) == before


@pytest.fixture(scope="module")
def newer_run(
    newer: NewerPtyrun, inputs: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunPaths:
    """A run that the newer ptyrun planned. Not to be changed."""
    paths = RunPaths(tmp_path_factory.mktemp("planned") / "run")
    _, *words = write.words(inputs, paths.root)
    done = newer("plan", *words)
    assert done.returncode == 0, done.stderr
    return paths


@pytest.fixture(params=["session", "event"])
def newer_ledger(request: pytest.FixtureRequest, newer: NewerPtyrun, done: RunPaths) -> RunPaths:
    """A run of this format in which a newer ptyrun worked: a session, and a line of a session."""
    if request.param == "session":
        broken = next(done.arrays.glob("pinn/patches/c.*"))
        broken.write_bytes(b"")
        assert newer("verify", str(done.root), "--repair").returncode == 0
    else:
        path = max(done.ledger.iterdir())
        text = path.read_text().replace('"version":"0.1.0"', f'"version":"{VERSION}"')
        *before, close = [relabelled(line, {}) for line in text.splitlines()]
        told = written('{"event":"weigh","arm":"pinn","kilograms":3')
        path.write_text("".join([*before, told, close]))
    return done


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_session_or_a_line_of_a_newer_ptyrun_is_called_newer_and_left_alone(
    words: list[str], newer_ledger: RunPaths
) -> None:
    before = files(newer_ledger)
    command, *more = words
    done = ptyrun(command, str(newer_ledger.root), *more)
    assert done.returncode == ExitCode.USAGE
    assert f"was {NEWER} ({VERSION})" in done.stderr
    assert "upgrade ptyrun" in done.stderr
    assert "damage" not in done.stdout + done.stderr
    assert files(newer_ledger) == before


def test_results_of_a_newer_ptyrun_are_called_newer(done: RunPaths) -> None:
    results = json.loads(done.results.read_text())
    newer = Results.SCHEMA + 1
    done.results.write_text(json.dumps({**results, "schema": newer, "tilts": []}))
    with pytest.raises(NewerError, match=rf"results\.json has schema {newer}: it was {NEWER}"):
        Results.load(done.results)


def test_results_of_a_newer_ptyrun_are_replaced_by_force_alone(tmp_path: Path) -> None:
    scan, recon = write_scan(tmp_path / "scan.npz"), write_reconstruction(tmp_path / "r.npz", 3)
    paths = RunPaths(tmp_path / "run")
    words = ["--test-data", str(scan), "--tike-recon-path", str(recon), "--output-dir"]
    assert ptyrun("compare", *words, str(paths.root)).returncode == 0
    results = json.loads(paths.results.read_text())
    newer = json.dumps({**results, "schema": Results.SCHEMA + 1, "tilts": []})
    paths.results.write_text(newer)
    refused = ptyrun("finalize", str(paths.root))
    assert refused.returncode == ExitCode.USAGE, refused.stderr
    assert NEWER in refused.stderr
    assert paths.results.read_text() == newer
    forced = ptyrun("finalize", str(paths.root), "--force")
    assert forced.returncode == 0, forced.stderr
    assert json.loads(paths.results.read_text())["schema"] == Results.SCHEMA
