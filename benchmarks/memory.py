"""Does memory grow with the number of groups?"""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks import studies
from benchmarks.figures import Figure, Scale
from benchmarks.processes import in_new_process
from benchmarks.studies import Study
from ptyrun.errors import ExitCode
from ptyrun.stages import finalize, plan, run

FLAT_AIM = 1.1
FEW, MANY, MANY_QUICKLY = 500, 50_000, 5_000
PATCH_PX = 64  # 500 patches fill the queue between predictor and disk, as 50 000 do
CHUNK_GROUPS = 160
BATCH_GROUPS = 16
N_LAYERS = 1


def compare(study: Study, output_dir: Path) -> None:
    """Plan, run and finalize, as ``ptyrun compare`` does, in this process."""
    studies.offer_dense_predictor(study.folder / "site")
    config = study.config(output_dir, chunk_groups=CHUNK_GROUPS, batch_groups=BATCH_GROUPS)
    plan.plan(config)
    assert run.run(output_dir).stop is ExitCode.COMPLETE
    finalize.finalize(output_dir)


def measure(scale: Scale) -> list[Figure]:
    """Compare a scan of few and one of many positions, each in a fresh process."""
    many = MANY_QUICKLY if scale.quick else MANY
    peaks_mib = {}
    for n_groups in (FEW, many):
        folder = scale.scratch / f"{n_groups}"
        study = studies.make_study(folder, n_frames=n_groups, patch_px=PATCH_PX, n_layers=N_LAYERS)
        _, peaks_mib[n_groups] = in_new_process(compare, study, folder / "run")
        shutil.rmtree(folder)
    return [
        Figure(
            f"peak memory at {many:,} groups / at {FEW}",
            peaks_mib[many] / peaks_mib[FEW],
            "x",
            FLAT_AIM if many == MANY else None,
            note=f"{peaks_mib[many]:.0f} MiB over {peaks_mib[FEW]:.0f} MiB: whole processes that "
            f"plan, run and finalize, chunks of {CHUNK_GROUPS} groups of {PATCH_PX} px",
        )
    ]
