"""Is SECURITY.md true of the code?"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from ptyrun.cli.commands import COMMANDS
from ptyrun.host import hdf5_child
from ptyrun.host.confinement import HARMS
from ptyrun.models.files import ModelFile, require_trust
from ptyrun.models.kinds import PROGRAMS, ModelKind

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_the_harms_and_what_stops_them_are_those_of_the_code() -> None:
    table = TEXT.partition("<!-- harms")[2].partition("<!-- end")[0]
    rows = [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in table.splitlines()[3:]]
    assert rows == [(harm.what, str(harm.from_abi or "never")) for harm in HARMS]


def test_the_formats_that_are_programs_are_those_of_the_code() -> None:
    assert {ModelKind.SAVED_MODEL, ModelKind.TORCHSCRIPT, ModelKind.EXPORTED} == PROGRAMS
    assert "SavedModel, TorchScript and `torch.export` files | they are programs" in TEXT


@pytest.mark.parametrize("kind", sorted(PROGRAMS))
def test_no_program_is_loaded_without_the_word(kind: ModelKind, tmp_path: Path) -> None:
    model = ModelFile(tmp_path / "m", "any", kind)
    with pytest.raises(Exception, match="--trust-model"):
        require_trust(model, trusted=False)
    require_trust(model, trusted=True)


def test_the_limits_are_those_of_the_code() -> None:
    assert f"{hdf5_child.CPU_S} s of CPU time" in TEXT
    assert f"{hdf5_child.MEMORY_BYTES >> 30} GiB of memory" in TEXT


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"`ptyrun ([a-z]+)", TEXT))
    assert named <= COMMANDS.keys()
    assert "doctor" in named


def test_no_module_opens_a_connection_but_to_a_cluster() -> None:
    senders = "socket|http|urllib.request|ftplib|smtplib|requests"
    words = re.compile(rf"^\s*(?:import|from) (?:{senders})\b")
    found = {
        path.relative_to(ROOT / "ptyrun").as_posix(): line.strip()
        for path in (ROOT / "ptyrun").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if words.match(line)
    }
    # The name of this host, and its address for the workers of a cluster.
    assert set(found.values()) <= {"import socket"}, found
    for name in found:
        assert "connect(" not in (ROOT / "ptyrun" / name).read_text(encoding="utf-8")


def test_what_it_says_of_a_confined_child_is_what_that_child_does() -> None:
    source = inspect.getsource(hdf5_child.confined)
    assert "writes=" not in source
    assert "programs=False" in source
