"""Do the reference networks keep to the contract of trainers, and do they learn?"""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.engine.window import Window
from ptyrun.errors import UsageError
from ptyrun.models.predictors import ModelRequest, open_predictor
from ptyrun.testing import TrainerContract
from ptyrun.trainers import TrainingRequest
from ptyrun.training.checkpoints import Checkpoints
from ptyrun.training.course import Training
from tests.trainers import make_examples

pinn_trainer = pytest.importorskip("ptyrun.backends.pinn_trainer", reason="no PyTorch")
baseline_trainer = pytest.importorskip("ptyrun.backends.baseline_trainer", reason="no TensorFlow")

# Keras' own arrays, when it saves; and classes that it makes without a module.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SMALL_PINN = {"stages": "2", "width": "2", "batch_groups": "4"}
SMALL_BASELINE = {"fine_width": "2", "coarse_width": "4", "batch_frames": "16"}


class PinnRules(TrainerContract):
    __test__ = False
    trainer = pinn_trainer.PinnTrainer

    @pytest.fixture
    def training_request(self) -> TrainingRequest:
        return TrainingRequest(make_examples(channels=4), 2, seed=5, settings=SMALL_PINN)

    @pytest.fixture
    def other_request(self, training_request: TrainingRequest) -> TrainingRequest:
        return replace(training_request, settings={**SMALL_PINN, "width": "4"})


class BaselineRules(TrainerContract):
    __test__ = False
    trainer = baseline_trainer.BaselineTrainer

    @pytest.fixture
    def training_request(self) -> TrainingRequest:
        return TrainingRequest(make_examples(), 2, seed=5, settings=SMALL_BASELINE)

    @pytest.fixture
    def other_request(self, training_request: TrainingRequest) -> TrainingRequest:
        return replace(training_request, settings={**SMALL_BASELINE, "fine_width": "4"})


@pytest.mark.slow
class TestPinn(PinnRules):
    __test__ = True


@pytest.mark.slow
class TestBaseline(BaselineRules):
    __test__ = True


@pytest.mark.parametrize("rules", [PinnRules, pytest.param(BaselineRules, marks=pytest.mark.slow)])
def test_a_training_that_was_cut_off_ends_in_the_same_bits(
    rules: type[TrainerContract], tmp_path: Path
) -> None:
    """One rule, as a sample: frameworks take seconds to make a network."""
    channels, settings = (4, SMALL_PINN) if rules is PinnRules else (1, SMALL_BASELINE)
    request = TrainingRequest(make_examples(channels=channels), 2, seed=5, settings=settings)
    rules().test_a_training_that_was_cut_off_ends_in_the_same_bits(request, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name", "settings", "gridsize"),
    [
        (pinn_trainer.PinnTrainer, "pinn.pt2", SMALL_PINN, 2),
        (baseline_trainer.BaselineTrainer, "baseline.keras", SMALL_BASELINE, 1),
    ],
)
def test_a_trained_model_is_what_a_comparison_reads(
    tmp_path: Path, kind: Any, name: str, settings: dict[str, str], gridsize: int
) -> None:
    examples = make_examples(channels=gridsize**2)
    request = TrainingRequest(examples, 3, settings=settings)
    trainer = kind.open(request)
    kept = Checkpoints(tmp_path / "pieces", "facts")
    course = Training(trainer, request, kept, Window(), print, must_learn=gridsize == 1).run()
    assert course.epochs().shape == (3, len(kind.figures))
    trainer.save(tmp_path / name)
    n = 4
    wanted = trainer.predict(np.arange(n) * (trainer.n_items // examples.n_groups))
    trainer.close()
    asked = ModelRequest(tmp_path / name, 16, gridsize, n, trusted=True)
    predictor = open_predictor("pytorch" if gridsize == 2 else "tf", asked)
    found = predictor.predict(examples.diffraction[:n], examples.local_offsets_px[:n])
    predictor.close()
    assert np.allclose(found, wanted, atol=1e-4)


def test_a_saved_baseline_holds_no_address_of_the_process(tmp_path: Path) -> None:
    request = TrainingRequest(make_examples(), 2, seed=5, settings=SMALL_BASELINE)
    for name in ("one", "other"):
        trainer = baseline_trainer.BaselineTrainer.open(request)
        trainer.save(tmp_path / f"{name}.keras")
        trainer.close()
    one, other = ((tmp_path / f"{name}.keras").read_bytes() for name in ("one", "other"))
    assert one == other
    with zipfile.ZipFile(tmp_path / "one.keras") as file:
        shared = re.findall(r'"shared_object_id": (\d+)', file.read("config.json").decode())
    assert {int(each) for each in shared} == {*range(len({*shared}))}


def test_mirrored_examples_are_those_of_a_probe_that_is_its_own_mirror_image() -> None:
    examples = make_examples()
    assert baseline_trainer._flips(examples.probe) == [(), (0,), (1,), (0, 1)]
    slanted = examples.probe * np.exp(0.1j * np.arange(16))
    assert baseline_trainer._flips(slanted.astype(np.complex64)) == [(), (0,)]
    assert baseline_trainer._flips(slanted.T.astype(np.complex64)) == [(), (1,)]


@pytest.mark.parametrize("examples", [make_examples(channels=4), make_examples(side_px=12)])
def test_examples_that_do_not_suit_the_baseline_are_refused(examples: object) -> None:
    with pytest.raises(UsageError, match="cannot learn from these examples"):
        baseline_trainer.BaselineTrainer.open(TrainingRequest(examples, 1))  # type: ignore[arg-type]
