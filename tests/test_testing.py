"""Does the contract for predictors pass sound ones, and name the rule that another one breaks?"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ptyrun.testing import PredictorContract
from tests import broken_predictors

ROOT = Path(__file__).resolve().parents[1]
RULES = {name.removeprefix("test_") for name in vars(PredictorContract) if "test_" in name}


@pytest.fixture(scope="module")
def failed() -> dict[str, set[str]]:
    """Which rules each predictor breaks, as pytest says it to those who run the contract."""
    words = ["-q", "-rA", "--tb=no", "--timeout", "600", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, str(Path(broken_predictors.__file__))],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    ends = re.findall(r"^(PASSED|FAILED|ERROR) \S+::Test(\w+)::test_(\w+)", done.stdout, re.M)
    assert {rule for _, _, rule in ends} == RULES, done.stdout
    failures: dict[str, set[str]] = {kind: set() for _, kind, _ in ends}
    for end, kind, rule in ends:
        if end != "PASSED":
            failures[kind].add(rule)
    return failures


@pytest.mark.parametrize("kind", ["Sound", "TakesAnyBatch"])
def test_a_sound_predictor_passes(failed: dict[str, set[str]], kind: str) -> None:
    assert failed[kind] == set()


@pytest.mark.parametrize("kind", broken_predictors.BREAKS, ids=lambda kind: kind.__name__)
def test_a_predictor_fails_at_the_rule_that_it_breaks(
    failed: dict[str, set[str]], kind: type[broken_predictors.Sound]
) -> None:
    assert failed[kind.__name__] == {broken_predictors.BREAKS[kind]}


def test_every_rule_is_broken_once() -> None:
    assert set(broken_predictors.BREAKS.values()) == RULES
