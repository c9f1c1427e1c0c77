"""Which stages make the iterative reconstructions of a study?"""

from __future__ import annotations

from collections.abc import Iterator

from ptyrun.config.study import StudyOptions
from ptyrun.study.hub import PHASE_D, PHASE_F, Hub, dose_name, reconstruction_file
from ptyrun.study.stage import Stage, built_in

KIND = "reconstruct"


def reconstruction_stages(hub: Hub, options: StudyOptions) -> Iterator[Stage]:
    """Give one stage for each dose, view and split, and the list of all."""
    jobs, outputs = [], []
    for dose in options.doses:
        for split in options.splits:
            for view in options.views:
                source = f"{PHASE_D}/{dose_name(dose)}/{view}/{split}.npz"
                output = reconstruction_file(dose, view, split)
                outputs.append(output)
                place = {"dose": dose, "view": str(view), "split": str(split)}
                jobs.append({**place, "input_npz": source, "output": output})
                yield built_in(
                    hub,
                    KIND,
                    {"dose": f"{dose:.0f}", "view": str(view), "split": str(split)},
                    [source],
                    [output],
                    method=1,
                    algorithm=options.reconstruction_algorithm,
                    epochs=options.reconstruction_epochs,
                    seed=options.reconstruction_seed,
                    update_probe=options.reconstruction_update_probe,
                    batch_frames=options.reconstruction_batch_frames,
                )
    yield built_in(
        hub,
        "reconstruction-manifest",
        {},
        outputs,
        [f"{PHASE_F}/reconstruction_manifest.json", f"{PHASE_F}/skip_summary.json"],
        method=1,
        jobs=jobs,
        root=hub.home,
    )
