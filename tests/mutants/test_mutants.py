"""Does the tool tell a mutant that is noticed from one that is not?"""

from __future__ import annotations

import pytest

from tests.mutants.__main__ import Verdict, judge
from tests.mutants.mutant import LIST, Mutant, StaleError, read
from tests.mutants.tree import ROOT, Tree

CODE = "def double(x):\n    return 2 * x\n"
TEST = "from ptyrun.toy import double\n\n\ndef test_it():\n    assert double(0) == 0\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    root = tmp_path_factory.mktemp("root")
    for name, text in {
        "ptyrun/__init__.py": "",
        "ptyrun/toy.py": CODE,
        "tests/test_toy.py": TEST,
        "setup.cfg": "",
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return Tree(tmp_path_factory.mktemp("copy"), root)


def mutant(before: str, after: str, test: str = "tests/test_toy.py") -> Mutant:
    return Mutant("a name", "ptyrun/toy.py", before, after, (test,))


def test_its_processes_import_the_copy(tree: Tree) -> None:
    assert tree.is_the_one_imported()


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ("2 + x", Verdict.KILLED),
        ("3 * x", Verdict.SURVIVED),
        ("2 * ", Verdict.UNJUDGED),  # what cannot be imported is noticed by any test
        ("2 * y", Verdict.UNJUDGED),  # and so is what cannot run
    ],
)
def test_a_mutant_is_judged_by_its_tests(tree: Tree, after: str, verdict: Verdict) -> None:
    assert judge(mutant("2 * x", after), tree)[0] is verdict
    assert (tree.folder / "ptyrun/toy.py").read_text() == CODE


def test_what_no_longer_fits_is_named(tree: Tree) -> None:
    for stale in (mutant("4 * x", "x"), mutant("x", "y"), mutant("2 * x", "x", "tests/gone.py")):
        with pytest.raises(StaleError, match="a name"):
            stale.text(tree.folder)


def test_the_kept_list_fits_the_code() -> None:
    mutants = read(LIST)
    assert len(mutants) > 60
    assert all(each.before != each.after and each.tests for each in mutants)
    for each in mutants:
        each.text(ROOT)
