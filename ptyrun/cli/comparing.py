"""Which words describe a comparison? Every option of upstream's compare_models, and ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from ptyrun.cli.options import spelt
from ptyrun.config import (
    ArmConfig,
    ArmKind,
    CompareConfig,
    Compression,
    EvaluationOptions,
    Presentation,
    Registration,
    Selection,
)
from ptyrun.errors import UsageError

FILE = click.Path(path_type=Path, dir_okay=False)
ANY_PATH = click.Path(path_type=Path)
_DEPRECATED = {
    "n_test_images": "n_groups",
    "old_n_subsample": "n_subsample",
    "old_subsample_seed": "subsample_seed",
}


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
_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(*spelt("--pinn_dir"), "pinn_dir", type=ANY_PATH, help="Folder of the PINN."),
    click.option(
        *spelt("--baseline_dir"), "baseline_dir", type=ANY_PATH, help="Folder of the Baseline."
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
        "factory=module:callable], or name=tike,reconstruction=FILE (repeatable).",
    ),
    click.option(*spelt("--n-test-groups"), "n_groups", type=COUNT, help="Compare so many groups."),
    click.option(
        *spelt("--n-test-subsample"), "n_subsample", type=COUNT, help="Draw so many images first."
    ),
    click.option(*spelt("--test-subsample-seed"), "subsample_seed", type=int),
    click.option(*spelt("--n-test-images"), "n_test_images", type=COUNT, hidden=True),
    click.option(*spelt("--n-subsample"), "old_n_subsample", type=COUNT, hidden=True),
    click.option(*spelt("--subsample-seed"), "old_subsample_seed", type=int, hidden=True),
    click.option(*spelt("--grouping-seed"), "grouping_seed", type=int, help="Seed of the groups."),
    click.option(
        *spelt("--neighbor-count"), "neighbor_count", type=COUNT, help="K nearest others."
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
    click.option(*spelt("--pinn-chunk-size"), "pinn_chunk", type=GroupCount()),
    click.option(*spelt("--baseline-chunk-size"), "baseline_chunk", type=GroupCount()),
    click.option(*spelt("--pinn-predict-batch-size"), "pinn_batch", type=COUNT),
    click.option(*spelt("--baseline-predict-batch-size"), "baseline_batch", type=COUNT),
    click.option(*spelt("--pinn-backend"), "pinn_backend", help="Predictor entry point."),
    click.option(*spelt("--baseline-backend"), "baseline_backend", help="Predictor entry point."),
    click.option(
        *spelt("--baseline-debug-limit"),
        "baseline_limit",
        type=COUNT,
        help="Baseline on the frames of the first so many groups only.",
    ),
    click.option(*spelt("--baseline-debug-dir"), "baseline_debug_dir", type=ANY_PATH),
    click.option(
        *spelt("--trust-bundle"),
        "trust_bundle",
        is_flag=True,
        help="Let upstream's installed package unpickle bundles: runs code of the bundle's maker.",
    ),
    click.option(*spelt("--skip-registration"), "skip_registration", is_flag=True),
    click.option(*spelt("--register-ptychi-only"), "register_reconstruction", is_flag=True),
    click.option(
        *spelt("--phase-align-method"), "phase_align", type=click.Choice(["plane", "mean"])
    ),
    click.option(*spelt("--frc-sigma"), "frc_sigma", type=click.FloatRange(min=0)),
    click.option(*spelt("--ms-ssim-sigma"), "ms_ssim_sigma", type=click.FloatRange(min=0)),
    click.option(*spelt("--stitch-crop-size"), "stitch_crop_px", type=COUNT),
    click.option(
        "--alignment",
        type=click.Choice(["exact", "upstream"]),
        help="Canvas: the object's own grid, or upstream's square with its centring and crops.",
    ),
    click.option(*spelt("--fixed-canvas"), "fixed_canvas", is_flag=True, default=None),
    *(
        click.option(*_switch(name), name, default=None)
        for name in ("save_npz", "save_npz_aligned")
    ),
    click.option(*spelt("--save-debug-images"), "save_debug_images", is_flag=True, default=None),
    click.option(*spelt("--p_min"), "percentile_min", type=click.FloatRange(0, 100)),
    click.option(*spelt("--p_max"), "percentile_max", type=click.FloatRange(0, 100)),
    *(
        click.option(*spelt(f"--{arm}_phase_{end}"), f"{arm}_phase_{end}", type=float)
        for arm in ("pinn", "baseline")
        for end in ("vmin", "vmax")
    ),
    click.option(*spelt("--pixel-size-m"), "pixel_size_m", type=float, help="For scale bars."),
    click.option(
        "--compression",
        type=click.Choice([each.value for each in Compression]),
        help="How chunks are stored; lz4 saves about a fifth of the space.",
    ),
    click.option("--new", is_flag=True, help="Set an existing run aside and start afresh."),
    click.option(
        "--invalidate",
        multiple=True,
        metavar="ARM",
        help="Accept that this arm changed; its chunks are computed again, the others stay.",
    ),
    click.option("--quiet", is_flag=True, help="Results only."),
    click.option("--verbose", is_flag=True, help="Everything, to the console too."),
    click.option(
        *spelt("--console-level"),
        "console_level",
        type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    ),
)


def options(command: Any) -> Any:
    """Add every option that describes a comparison."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def configuration(given: dict[str, Any]) -> CompareConfig:
    """Build the configuration from the command's parameters; None means as configured."""
    _take_deprecated(given)
    _one_registration(given)
    words = {name: value for name, value in given.items() if value is not None}
    return CompareConfig(
        scan=words["scan"],
        output_dir=words["output_dir"],
        arms=_arms(words),
        selection=_picked(Selection, words),
        evaluation=_evaluation(words),
        presentation=_picked(Presentation, _as_text(words, "baseline_debug_dir")),
        groups_from=words.get("groups_from"),
        compression=Compression(words.get("compression", CompareConfig.compression)),
    )


def _take_deprecated(given: dict[str, Any]) -> None:
    for old, new in _DEPRECATED.items():
        value = given.pop(old)
        if value is None:
            continue
        spelling = old.removeprefix("old_").replace("_", "-")
        click.echo(f"warning: --{spelling} is deprecated; say --{_modern(new)}", err=True)
        if given[new] is not None:
            raise UsageError(
                f"--{spelling} and --{_modern(new)} are both given",
                why="the first is the old name of the second",
                do=f"keep --{_modern(new)}",
            )
        given[new] = value


def _modern(name: str) -> str:
    return {
        "n_groups": "n-test-groups",
        "n_subsample": "n-test-subsample",
        "subsample_seed": "test-subsample-seed",
    }[name]


def _one_registration(given: dict[str, Any]) -> None:
    if given["skip_registration"] and given["register_reconstruction"]:
        raise UsageError(
            "--skip-registration and --register-ptychi-only contradict each other",
            why="one registers nothing, the other one arm",
            do="keep one of them",
        )


def _picked(kind: type[Any], words: Mapping[str, Any]) -> Any:
    names = {entry.name for entry in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in words.items() if name in names})


def _as_text(words: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: str(value) if key == name else value for key, value in words.items()}


def _evaluation(words: Mapping[str, Any]) -> EvaluationOptions:
    chosen = dict(words)
    if words["skip_registration"]:
        chosen["registration"] = Registration.NONE
    if words["register_reconstruction"]:
        chosen["registration"] = Registration.RECONSTRUCTION_ONLY
    picked = _picked(EvaluationOptions, chosen)
    assert isinstance(picked, EvaluationOptions)
    return EvaluationOptions.from_facts(picked.facts())


def _arms(words: Mapping[str, Any]) -> tuple[ArmConfig, ...]:
    arms: list[ArmConfig] = []
    trust = {"trust_bundle": "yes"} if words["trust_bundle"] else {}
    for name, label, gridsize in (("pinn", "PtychoPINN", None), ("baseline", "Baseline", None)):
        if f"{name}_dir" in words:
            arms.append(
                ArmConfig(
                    name=name,
                    label=label,
                    path=words[f"{name}_dir"],
                    backend=words.get(f"{name}_backend"),
                    gridsize=gridsize,
                    options=trust,
                    limit_groups=words.get(f"{name}_limit"),
                    **_given(words, chunk_groups=f"{name}_chunk", batch_groups=f"{name}_batch"),
                )
            )
    if "reconstruction" in words:
        arms.append(
            ArmConfig(
                name="reconstruction",
                label="",
                path=words["reconstruction"],
                kind=ArmKind.RECONSTRUCTION,
            )
        )
    arms += [extra_arm(text, trust) for text in words["extra_arms"]]
    if not arms:
        raise UsageError(
            "there is nothing to compare",
            why="neither --pinn_dir nor --baseline_dir nor --tike_recon_path nor --arm is given",
            do="name at least one arm",
        )
    return tuple(arms)


def _given(words: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {field: words[word] for field, word in names.items() if word in words}


def extra_arm(text: str, options: Mapping[str, str]) -> ArmConfig:
    """Read one ``--arm`` text.

    Examples
    --------
    >>> extra_arm("name=unet,path=unet.keras,batch=16", {}).batch_groups
    16
    """
    pairs = [part.partition("=") for part in text.split(",")]
    words = {key.strip(): value.strip() for key, equals, value in pairs if equals}
    if len(words) != len(pairs) or "name" not in words:
        raise _bad_arm(text, "it needs name=... and parts KEY=VALUE, each key once")
    if ("path" in words) == ("reconstruction" in words):
        raise _bad_arm(text, "it needs either path=... or reconstruction=...")
    name = words.pop("name")
    reconstruction = words.pop("reconstruction", None)
    try:
        return ArmConfig(
            name=name,
            label=words.pop("label", "" if reconstruction else name),
            path=Path(reconstruction or words.pop("path")),
            kind=ArmKind.RECONSTRUCTION if reconstruction else ArmKind.PREDICTOR,
            backend=words.pop("backend", None),
            gridsize=int(words.pop("gridsize")) if "gridsize" in words else None,
            **_numbers(words),
            options={**options, **words},
        )
    except ValueError as error:
        raise _bad_arm(text, str(error)) from error


def _numbers(words: dict[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word, field in (
        ("chunk", "chunk_groups"),
        ("batch", "batch_groups"),
        ("limit", "limit_groups"),
    ):
        if word in words:
            text = words.pop(word)
            found[field] = 0 if (word, text) == ("chunk", "all") else int(text)
    return found


def _bad_arm(text: str, why: str) -> UsageError:
    return UsageError(
        f"--arm {text!r} cannot be read",
        why=why,
        do="write it like name=unet,path=models/unet.keras,gridsize=1,batch=16",
    )
