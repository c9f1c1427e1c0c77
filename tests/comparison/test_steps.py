"""Is what a step found taken over by that step alone?"""

from __future__ import annotations

from pathlib import Path

from ptyrun.comparison.kept import Kept
from ptyrun.comparison.steps import Steps, Texts
from ptyrun.engine.costs import Costs
from ptyrun.engine.window import Window


def test_steps_that_are_called_alike_take_nothing_over_from_each_other(tmp_path: Path) -> None:
    def taken(step: str, words: str) -> tuple[str, ...]:
        steps = Steps(
            Kept(tmp_path / "steps"), Costs(tmp_path / "costs", "1"), Window(), keeps=True
        )
        return steps.taken(step, "key", Texts.of, lambda: Texts((words,))).texts

    assert taken("compare a-with-b", "of an arm") == ("of an arm",)
    assert taken("compare a with b", "of a pair") == ("of a pair",)
    assert taken("compare a with b", "found again") == ("of a pair",)
