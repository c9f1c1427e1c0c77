"""Which words describe a comparison? Every option of upstream's compare_models, and ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ptyrun.cli.options import console, reuse, spelt, trust
from ptyrun.config import (
    BATCH_GROUPS,
    CHUNK_GROUPS,
    Compression,
    EvaluationOptions,
    Presentation,
    Selection,
)

FILE = click.Path(path_type=Path, dir_okay=False)
ANY_PATH = click.Path(path_type=Path)


class GroupCount(click.ParamType[int]):
    """How many groups a chunk has; ``all`` means one chunk."""

    name = "groups"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a number, or ``all`` as 0."""
        if str(value).lower() == "all":
            return 0
        try:
            count = int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number of groups nor 'all'", param, ctx)
        if count < 1:
            self.fail(f"{count} groups make no chunk", param, ctx)
        return count


def _switch(name: str) -> list[str]:
    """Spell an option that can also be turned off, as click wants it."""
    return ["/".join(pair) for pair in zip(spelt(f"--{name}"), spelt(f"--no-{name}"), strict=True)]


COUNT = click.IntRange(min=1)
SEED = click.IntRange(min=0)
ARMS = {"pinn": "PINN", "baseline": "Baseline"}
_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        *spelt("--pinn_dir"), "pinn_dir", type=ANY_PATH, help="Folder or file of the PINN."
    ),
    click.option(
        *spelt("--baseline_dir"),
        "baseline_dir",
        type=ANY_PATH,
        help="Folder or file of the Baseline.",
    ),
    click.option(*spelt("--test_data"), "scan", type=FILE, required=True, help="The scan."),
    click.option(
        *spelt("--output_dir"), "output_dir", type=ANY_PATH, required=True, help="The run's folder."
    ),
    click.option(
        *spelt("--tike_recon_path", "--recon_path"),
        "reconstruction",
        type=FILE,
        help="A finished reconstruction (NPZ with reconstructed_object, ptychodus HDF5, CXI).",
    ),
    click.option(
        "--arm",
        "extra_arms",
        multiple=True,
        metavar="KEY=VALUE,...",
        help="A further arm: name=unet,path=unet.keras[,label=,backend=,gridsize=,batch=,chunk=,"
        "limit=,factory=module:callable], or name=tike,reconstruction=FILE (repeatable).",
    ),
    click.option(*spelt("--n-test-groups"), "n_groups", type=COUNT, help="Compare so many groups."),
    click.option(
        *spelt("--n-test-subsample"), "n_subsample", type=COUNT, help="Draw so many images first."
    ),
    click.option(
        *spelt("--test-subsample-seed"),
        "subsample_seed",
        type=SEED,
        help=f"Seed of drawing images (default {Selection.subsample_seed}).",
    ),
    click.option(*spelt("--n-test-images"), "n_test_images", type=COUNT, hidden=True),
    click.option(*spelt("--n-subsample"), "old_n_subsample", type=COUNT, hidden=True),
    click.option(*spelt("--subsample-seed"), "old_subsample_seed", type=SEED, hidden=True),
    click.option(
        *spelt("--grouping-seed"),
        "grouping_seed",
        type=SEED,
        help=f"Seed of the groups (default {Selection.grouping_seed}).",
    ),
    click.option(
        *spelt("--neighbor-count"),
        "neighbor_count",
        type=COUNT,
        help="From how many nearest other positions a group is drawn (default "
        f"{Selection.neighbor_count}).",
    ),
    click.option(
        *spelt("--groups-from"), "groups_from", type=FILE, help="NPZ with nn_indices to repeat."
    ),
    click.option(
        *spelt("--diffraction-kind"),
        "diffraction_kind",
        type=click.Choice(["amplitude", "intensity"]),
        help="What the diffraction holds, where the file does not tell.",
    ),
    *(
        click.option(
            *spelt(f"--{arm}-chunk-size"),
            f"{arm}_chunk",
            type=GroupCount(),
            help=f"Groups of the {title} that are committed together, or 'all'; changes no result "
            f"(default: as planned, else {CHUNK_GROUPS}).",
        )
        for arm, title in ARMS.items()
    ),
    *(
        click.option(
            *spelt(f"--{arm}-predict-batch-size"),
            f"{arm}_batch",
            type=COUNT,
            help=f"Groups that the {title} is given at once (default: as planned, else "
            f"{BATCH_GROUPS}).",
        )
        for arm, title in ARMS.items()
    ),
    *(
        click.option(
            *spelt(f"--{arm}-backend"),
            f"{arm}_backend",
            help=f"Entry point of the predictor that runs the {title} (default: as its file says).",
        )
        for arm, title in ARMS.items()
    ),
    click.option(
        *spelt("--pinn-debug-limit"),
        "pinn_limit",
        type=COUNT,
        help="PtychoPINN on the first N groups of the selection only (default: all). Normalisation "
        "is that of the whole selection, so that a full run takes the chunks over with --reuse.",
    ),
    click.option(
        *spelt("--baseline-debug-limit"),
        "baseline_limit",
        type=COUNT,
        help="Baseline on the frames of the first N groups of the selection only (default: all); "
        "normalised like --pinn-debug-limit.",
    ),
    click.option(
        *spelt("--baseline-debug-dir"),
        "baseline_debug_dir",
        type=ANY_PATH,
        help="Write what went into the Baseline and what came out into this folder.",
    ),
    trust,
    click.option(
        *spelt("--trust-bundle"),
        "trust_bundles",
        is_flag=True,
        help="Old spelling of --trust-model for every arm that is one of upstream's bundles.",
    ),
    click.option(
        *spelt("--skip-registration"),
        "skip_registration",
        is_flag=True,
        help="Shift no arm onto the ground truth before it is measured (default: all arms).",
    ),
    click.option(
        *spelt("--register-ptychi-only"),
        "register_reconstruction",
        is_flag=True,
        help="Shift only the finished reconstruction.",
    ),
    click.option(
        *spelt("--phase-align-method"),
        "phase_align",
        type=click.Choice(["plane", "mean"]),
        help="What is removed from phases before they are compared (default "
        f"{EvaluationOptions.phase_align}).",
    ),
    click.option(
        *spelt("--frc-sigma"),
        "frc_sigma",
        type=click.FloatRange(min=0),
        help="Width in rings of the Gaussian that smooths FRC curves (default "
        f"{EvaluationOptions.frc_sigma:g}).",
    ),
    click.option(
        *spelt("--ms-ssim-sigma"),
        "ms_ssim_sigma",
        type=click.FloatRange(min=0),
        help="Width in pixels of the Gaussian on amplitudes before MS-SSIM (default "
        f"{EvaluationOptions.ms_ssim_sigma:g}).",
    ),
    click.option(
        *spelt("--stitch-crop-size"),
        "stitch_crop_px",
        type=COUNT,
        help="Side in pixels of the middle of a patch that is laid: even, at most the patch's "
        f"(default {EvaluationOptions.stitch_crop_px}).",
    ),
    click.option(
        "--alignment",
        type=click.Choice(["exact", "upstream"]),
        help="Canvas: the object's own grid, or upstream's square with its centring and crops.",
    ),
    click.option(
        *spelt("--fixed-canvas"),
        "fixed_canvas",
        is_flag=True,
        expose_value=False,
        help="Taken for compatibility, and changes nothing: patches always lie on the object's own "
        "grid.",
    ),
    *(
        click.option(*_switch(name), name, default=None, help=f"Write {what} (default: do).")
        for name, what in (
            ("save_npz", "reconstructions.npz, the objects as stitched"),
            ("save_npz_aligned", "reconstructions_aligned.npz, the objects as measured"),
        )
    ),
    click.option(
        *spelt("--save-debug-images"),
        "save_debug_images",
        is_flag=True,
        default=None,
        help="Write a picture of each arm's whole object into debug/.",
    ),
    *(
        click.option(
            *spelt(f"--p_{end}"),
            f"percentile_{end}",
            type=click.FloatRange(0, 100),
            help=f"Percentile at the {side} end of the colours (default {default:g}).",
        )
        for end, side, default in (
            ("min", "lower", Presentation.percentile_min),
            ("max", "upper", Presentation.percentile_max),
        )
    ),
    *(
        click.option(
            *spelt(f"--{arm}_phase_v{end}"),
            f"{arm}_phase_v{end}",
            type=float,
            help=f"Phase in radians at the {side} end of the {title}'s colours, in place of the "
            "percentile.",
        )
        for arm, title in ARMS.items()
        for end, side in (("min", "lower"), ("max", "upper"))
    ),
    click.option(
        *spelt("--pixel-size-m"),
        "pixel_size_m",
        type=float,
        help="Side of a pixel in metres, for scale bars.",
    ),
    click.option(
        "--compression",
        type=click.Choice([each.value for each in Compression]),
        help="How chunks are stored; lz4 saves about a fifth of the space.",
    ),
    reuse,
    click.option("--new", is_flag=True, help="Set an existing run aside and start afresh."),
    click.option(
        "--invalidate",
        multiple=True,
        metavar="ARM",
        help="Accept that this arm changed; its chunks are computed again, the others stay. "
        "'results' accepts other options of evaluation (repeatable).",
    ),
)


def options(command: Any) -> Any:
    """Add every option that describes a comparison, and the console's."""
    command = console(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
