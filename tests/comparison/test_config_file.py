from __future__ import annotations

import os
import shlex
import tomllib
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.comparison import config_file, request
from ptyrun.config import ARM_WORDS
from ptyrun.config.toml import dumps
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import IdentityError, PtyrunError, UsageError
from ptyrun.paths import RunPaths
from tests.scans import write_reconstruction, write_scan
from tests.studies import Finished, Study, ptyrun


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scan and a reconstruction: all that a comparison without networks needs."""
    write_scan(tmp_path / "scan.npz")
    write_reconstruction(tmp_path / "recon.npz")
    return tmp_path


def planned(file: Path, *words: str) -> Finished:
    return ptyrun("plan", f"--config={file}", *words)


def manifest(run: Path) -> Manifest:
    return Manifest.load(RunPaths(run).manifest)


def write(path: Path, *more: str) -> Path:
    lines = ['test_data = "scan.npz"', 'output_dir = "run"', 'tike_recon_path = "recon.npz"']
    path.write_text("\n".join([*lines, *more, ""]), encoding="utf-8")
    return path


def test_a_comparison_is_read_from_a_file_and_its_paths_are_of_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "comparison.toml", "n-test-groups = 12", 'phase_align_method = "mean"')
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    done = planned(Path("../comparison.toml"))
    assert done.returncode == 0, done.stderr
    found = manifest(folder / "run")
    assert found.shared["n_groups"] == 12
    assert found.shared["phase_align"] == "mean"
    assert found.sources["scan"] == str(folder / "scan.npz")


def test_words_on_the_line_win(folder: Path) -> None:
    file = write(
        folder / "c.toml", "frc_sigma = 0.5", "skip_registration = true", "save_debug_images = true"
    )
    words = ["--frc-sigma=0.25", "--no-save-debug-images", f"--output_dir={folder / 'other'}"]
    assert planned(file, *words, "--register-ptychi-only").returncode == 0
    found = manifest(folder / "other")
    assert found.shared["frc_sigma"] == 0.25
    assert found.shared["registration"] == "reconstruction-only"
    assert found.sources["save_debug_images"] is False
    assert not (folder / "run").exists()
    assert planned(file, "--no-skip-registration").returncode == 0
    assert manifest(folder / "run").shared["registration"] == "all"


def test_an_arm_on_the_line_takes_the_place_of_the_files_arm_of_that_name(folder: Path) -> None:
    write_reconstruction(folder / "8,8 keV.npz")
    arms = [
        line
        for name in ("one", "two")
        for line in ("[[arm]]", f'name = "{name}"', 'reconstruction = "8,8 keV.npz"')
    ]
    file = write(folder / "c.toml", *arms)
    other = f"--arm=name=two,reconstruction={folder / 'recon.npz'},label=Tike, again"
    assert planned(file, other, "--arm=name=three,reconstruction=" + str(folder / "recon.npz"))
    found = {arm.name: arm.label for arm in manifest(folder / "run").arms}
    assert [*found] == ["reconstruction", "one", "two", "three"]
    assert found["two"] == "Tike, again"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('trust_model = ["pinn"]', "use --trust-model on the command line"),
        ("trust-bundle = true", "use --trust-bundle on the command line"),
        ("adopt = true", "only the command line grants trust"),
        ('window = "170s"', "window belongs on the command line"),
        ("new = true", "new belongs on the command line"),
        ('dask = "tcp://elsewhere:1"', "dask belongs on the command line"),
        ("n_test_group = 3", "did you mean 'n_test_groups'?"),
        ("n_test_groups = 3\nn-test-groups = 4", "is given twice"),
        ('n_test_groups = "3"', "it must be an integer"),
        ('phase_align_method = "plain"', "it must be plane or mean"),
        (f"frc_sigma = {10**400}", "it must be at least 0 and at most 1000"),
        ("frc_sigma = -1", "it must be at least 0 and at most 1000"),
        ("n_test_groups = ", "Invalid value"),
        ("arm = 3", "arm must be a list of tables"),
        ('[[arm]]\nname = "x"\npaht = "y"', "did you mean 'path'?"),
        ('[[arm]]\nname = "x"\npath = "y"\nfactory = "os:abort"', "use --trust-model x"),
        ('[[arm]]\nname = "x"\npath = "y"\nbackend = "other"', "use --trust-model x"),
        ('pinn_dir = "y"\npinn_backend = "other"', "use --trust-model pinn"),
    ],
)
def test_what_a_file_may_not_say_is_refused_before_anything_is_written(
    line: str, says: str, folder: Path
) -> None:
    done = planned(write(folder / "c.toml", line))
    assert done.returncode == 2
    assert says in done.stderr
    assert not (folder / "run").exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * (config_file.MAX_BYTES + 1)])
def test_a_file_that_is_none_is_refused_by_name(content: bytes | None, folder: Path) -> None:
    file = folder / "c.toml"
    if content is not None:
        file.write_bytes(content)
    done = planned(file)
    assert done.returncode == 2
    assert "c.toml" in done.stderr


def test_what_neither_the_line_nor_a_file_says_is_missing(folder: Path) -> None:
    done = ptyrun("plan", f"--test_data={folder / 'scan.npz'}")
    assert done.returncode == 2
    assert "--output-dir is missing" in done.stderr


def test_a_run_keeps_the_comparison_that_repeats_it(study: Study, tmp_path: Path) -> None:
    run, moved = tmp_path / "a run", tmp_path / "moved"
    words = study.words(
        run, "--save-debug-images", "--no-save-npz", "--register-ptychi-only", "--p_min=5"
    )
    assert ptyrun("plan", *words[1:], "--arm=name=unet,gridsize=1,batch=3,label=U,path="
                  f"{study.baseline}", "--trust-model=unet").returncode == 0  # fmt: skip
    before = manifest(run)
    run.rename(moved)
    trust = [word for word in words if "trust" in word]
    again = planned(moved / "config.toml", *trust, "--trust-model=unet")
    assert again.returncode == 0, again.stderr
    assert manifest(moved) == before
    other = planned(
        moved / "config.toml", *trust, "--trust-model=unet", f"--output_dir={tmp_path / 'other'}"
    )
    assert other.returncode == 0, other.stderr
    assert manifest(tmp_path / "other") == before
    assert config_file.HEAD in (moved / "config.toml").read_text(encoding="utf-8")
    assert "trust" not in tomllib.loads((moved / "config.toml").read_text(encoding="utf-8"))


def test_the_file_of_a_run_is_a_hint(folder: Path) -> None:
    file, run = write(folder / "c.toml"), folder / "run"
    assert planned(file).returncode == 0
    digest = manifest(run).digest
    kept = (run / "config.toml").read_bytes()
    (run / "config.toml").unlink()
    assert ptyrun("verify", str(run)).stdout.startswith("OK")
    assert planned(file).returncode == 0
    assert (run / "config.toml").read_bytes() == kept
    assert "unexpected" not in ptyrun("verify", str(run)).stdout
    (run / "config.toml").write_text("mine", encoding="utf-8")
    assert planned(file).returncode == 0
    assert (run / "config.toml").read_text(encoding="utf-8") == "mine"
    assert manifest(run).digest == digest


def test_a_file_of_the_users_own_may_lie_where_the_run_will_be(folder: Path) -> None:
    (folder / "run").mkdir()
    file = write(folder / "run" / "config.toml")
    text = file.read_text(encoding="utf-8").replace('"run"', '"."').replace('= "s', '= "../s')
    file.write_text(text.replace('= "recon', '= "../recon'), encoding="utf-8")
    done = planned(file)
    assert done.returncode == 0, done.stderr
    assert file.read_text(encoding="utf-8") == text.replace('= "recon', '= "../recon')


def test_a_name_that_is_not_utf_8_is_said_and_no_file_written(folder: Path) -> None:
    named = folder / os.fsdecode(b"M\xfcller.npz")
    (folder / "recon.npz").rename(named)
    words = [f"--test_data={folder / 'scan.npz'}", f"--output_dir={folder / 'run'}"]
    done = ptyrun("plan", *words, f"--tike_recon_path={named}")
    assert done.returncode == 0, done.stderr
    assert "config.toml is not written" in done.stderr
    assert "M\\xfcller.npz" in done.stderr
    assert not (folder / "run" / "config.toml").exists()


def test_the_file_of_somebody_elses_run_is_no_word_of_the_user(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debug = folder / "pictures"
    file = write(folder / "c.toml", f'baseline_debug_dir = "{debug}"')
    assert planned(file).returncode == 0
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "another user"))
    with pytest.raises(IdentityError):
        config_file.require_own_run(folder / "run", file)
    done = planned(folder / "run" / "config.toml")
    assert done.returncode == 2
    assert f"ptyrun run {shlex.quote(str(folder / 'run'))} --adopt" in done.stderr


def test_the_text_of_an_arm_is_split_at_its_keys() -> None:
    from ptyrun.comparison.request import arm_words

    assert arm_words("name=tike,reconstruction=8,8 keV/recon.npz") == {
        "name": "tike",
        "reconstruction": "8,8 keV/recon.npz",
    }
    for text in ("name=a,b,path=x", "path=x,path=y", "unet"):
        with pytest.raises(UsageError, match="cannot be read"):
            arm_words(text)


SCALARS = st.one_of(
    st.text(max_size=5),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.sampled_from(["all", "plane", "lz4"]),
)
ARMS = st.dictionaries(st.sampled_from([*ARM_WORDS, "x"]), SCALARS, max_size=5)
SAID = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), ARMS, st.lists(ARMS, max_size=2))
NAMES = [*(entry.name for entry in request.options()), "skip_registration", "trust_model"]


@given(st.dictionaries(st.sampled_from(NAMES), SAID, max_size=4))
def test_whatever_a_file_says_is_taken_or_refused(said: dict[str, Any]) -> None:
    needed = {"test_data": "a", "output_dir": "b", "tike_recon_path": "c"}
    with TemporaryDirectory() as folder:
        file = Path(folder, "c.toml")
        file.write_text(dumps({**needed, **said}), encoding="utf-8")
        with suppress(PtyrunError):
            found = config_file.read(file)
            config_file.require_trusted_code(found, (), file)
            request.configuration(config_file.merged(found, {"arm": ("name=z,path=y",)}))
