"""An arm's network is its weights and the code that makes it: a change of either is noticed."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ptyrun.comparison.code import code_facts, code_notes, code_of, refuse_changed_code
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.errors import IdentityError, ModelError
from tests.engine.toys import toy_manifest

OWN = EntryPoint("pytorch", "ptyrun.backends.pytorch:PyTorchPredictor", "ptyrun.predictors")
MAKES = "def make():\n    return 1\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def write(path: Path, text: str = MAKES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def digest(factory: str, cache: Path | None = None) -> str:
    return str(code_facts(OWN, {"factory": factory}, Fingerprints(cache))["factory_code_sha256"])


def module(home: Path) -> tuple[str, Path]:
    return "plain_one:make", write(home / "plain_one.py")


def beside(home: Path) -> tuple[str, Path]:
    write(home / "plain_two.py", f"import os, layers_of_two as layers\n{MAKES}")
    return "plain_two:make", write(home / "layers_of_two.py")


def beside_what_is_beside(home: Path) -> tuple[str, Path]:
    write(home / "plain_three.py", f"from first_of_three import a\n{MAKES}")
    write(home / "first_of_three/__init__.py", "import second_of_three\n")
    return "plain_three:make", write(home / "second_of_three.py")


def deep_in_a_package(home: Path) -> tuple[str, Path]:
    write(home / "packaged/__init__.py")
    write(home / "packaged/nets/__init__.py")
    return "packaged.nets.unet:make", write(home / "packaged/layers/attention.py")


def its_settings(home: Path) -> tuple[str, Path]:
    write(home / "configured/__init__.py")
    return "configured:make", write(home / "configured/widths.yaml", "width: 3\n")


def a_binary(home: Path) -> tuple[str, Path]:
    write(home / "compiled/__init__.py")
    return "compiled:make", write(home / "compiled/fast.so", "machine code")


def a_folder_without_init(home: Path) -> tuple[str, Path]:
    return "mere_folder.nets:make", write(home / "mere_folder/nets.py")


def beside_in_such_a_folder(home: Path) -> tuple[str, Path]:
    write(home / "lone_folder/nets.py", f"from lone_folder.layers import a\n{MAKES}")
    return "lone_folder.nets:make", write(home / "lone_folder/layers.py")


LAYOUTS = [
    module,
    beside,
    beside_what_is_beside,
    deep_in_a_package,
    its_settings,
    a_binary,
    a_folder_without_init,
    beside_in_such_a_folder,
]


@pytest.mark.parametrize("lay_out", LAYOUTS)
def test_code_that_changes_is_another_arm(
    home: Path, lay_out: Callable[[Path], tuple[str, Path]], tmp_path: Path
) -> None:
    factory, changes = lay_out(home)
    cache = tmp_path / "cache/digests.json"
    known = set(sys.modules)
    before = digest(factory, cache)
    assert digest(factory, cache) == digest(factory) == before
    changes.write_text(changes.read_text().replace("1", "2").replace("3", "4") + " ")
    after = digest(factory, cache)
    assert after == digest(factory) != before
    name = factory.partition(":")[0].partition(".")[0]
    assert not [each for each in set(sys.modules) - known if each.startswith(name)], "not imported"


def test_what_is_no_code_changes_nothing(home: Path) -> None:
    write(home / "steady/__init__.py", "import unrelated_neighbour_of_nobody\n")
    before = digest("steady:make")
    write(home / "steady/__pycache__/x.py")
    write(home / "steady/training.log")
    write(home / "steady/.git/config.py")
    write(home / "other_module_of_home.py")
    os.mkfifo(home / "steady/pipe.py")
    assert digest("steady:make") == before


def test_a_module_in_a_zip_file_is_watched_by_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = home / "nets.zip"

    def pack(text: str) -> None:
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("zipped_net.py", text)

    pack(MAKES)
    monkeypatch.syspath_prepend(archive)
    before = digest("zipped_net:make")
    pack(MAKES + MAKES)
    assert digest("zipped_net:make") != before


def test_a_module_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="no module no_such_net"):
        digest("no_such_net.unet:make")


def test_what_cannot_be_known_is_said() -> None:
    facts = code_facts(OWN, {"factory": "builtins:dict"}, Fingerprints(None))
    assert facts["factory_code_sha256"] == "unknown: builtins is built-in"
    (note,) = code_notes(facts)
    assert "would not be noticed" in note


def test_another_packages_predictor_is_watched_and_ptyruns_own_is_not(home: Path) -> None:
    write(home / "their_backend/__init__.py")
    theirs = EntryPoint("theirs", "their_backend.predictor:Predictor", "ptyrun.predictors")
    before = code_facts(theirs, {}, Fingerprints(None))
    assert list(before) == ["backend_code_sha256"]
    write(home / "their_backend/layers.py")
    assert code_facts(theirs, {}, Fingerprints(None)) != before
    assert code_facts(OWN, {}, Fingerprints(None)) == {}


def test_ptyrun_beside_their_code_is_not_theirs(home: Path) -> None:
    write(home / "ptyrun/__init__.py")
    write(home / "their_layers.py")
    write(home / "their_backend.py", "import ptyrun.errors\nimport their_layers\n")
    assert set(code_of("their_backend").files) == {"their_backend.py", "their_layers.py"}


def test_an_installed_package_is_named_with_its_version() -> None:
    facts = code_facts(OWN, {"factory": "click.core:Command"}, Fingerprints(None))
    assert str(facts["factory_package"]).startswith("click ")
    assert all("click/" in name for name in code_of("click.core").files), "and not what it imports"


def test_a_session_refuses_changed_code_by_name(home: Path, tmp_path: Path) -> None:
    path = write(home / "swapped.py")
    facts = code_facts(OWN, {"factory": "swapped:make"}, Fingerprints(None))
    manifest = toy_manifest()
    arm = manifest.arms[0]
    changed = {**facts, "backend": "pytorch", "gridsize": 1, "option.factory": "swapped:make"}
    manifest = type(manifest)(
        {}, (type(arm)(**{**vars(arm), "facts": changed}),), {"scan": "scan.npz"}
    )
    fingerprints = Fingerprints(tmp_path / "digests.json")
    refuse_changed_code(manifest, fingerprints)
    path.write_text(MAKES + "\n")
    with pytest.raises(IdentityError, match=r"factory_code_sha256 was \w{12}…, is \w{12}…"):
        refuse_changed_code(manifest, fingerprints)
