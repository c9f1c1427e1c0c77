"""How do a command's words become a comparison's configuration?"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

from ptyrun.config import (
    ARM_WORDS,
    ArmConfig,
    ArmKind,
    CompareConfig,
    Compression,
    EvaluationOptions,
    Presentation,
    Registration,
    Selection,
)
from ptyrun.errors import ModelError, UsageError, nearest
from ptyrun.models.files import ModelKind, locate

_DEPRECATED = {
    "n_test_images": "n_groups",
    "old_n_subsample": "n_subsample",
    "old_subsample_seed": "subsample_seed",
}


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
    for name, label, gridsize in (("pinn", "PtychoPINN", None), ("baseline", "Baseline", None)):
        if f"{name}_dir" in words:
            arms.append(
                ArmConfig(
                    name=name,
                    label=label,
                    path=words[f"{name}_dir"],
                    backend=words.get(f"{name}_backend"),
                    gridsize=gridsize,
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
    arms += [extra_arm(text) for text in words["extra_arms"]]
    if not arms:
        raise UsageError(
            "there is nothing to compare",
            why="neither --pinn_dir nor --baseline_dir nor --tike_recon_path nor --arm is given",
            do="name at least one arm",
        )
    require_arms("--trust-model", words["trusted_arms"], [arm.name for arm in arms])
    return tuple(dataclasses.replace(arm, trusted=_is_trusted(arm, words)) for arm in arms)


def _is_trusted(arm: ArmConfig, words: Mapping[str, Any]) -> bool:
    if arm.name in words["trusted_arms"]:
        return True
    if not words["trust_bundles"] or arm.kind is not ArmKind.PREDICTOR:
        return False
    try:
        return locate(arm.path).kind is ModelKind.BUNDLE
    except ModelError:  # told where arms are looked at
        return False


def require_arms(option: str, named: Collection[str], arms: Collection[str]) -> None:
    """Refuse an option that names an arm which is not there.

    Raises
    ------
    UsageError
        Naming those that are.
    """
    for name in named:
        if name not in arms:
            raise UsageError(
                f"{option} {name}: there is no such arm",
                why=f"the comparison's arms are {', '.join(arms)}",
                do="name one of these",
            )


def _given(words: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {field: words[word] for field, word in names.items() if word in words}


def extra_arm(text: str) -> ArmConfig:
    """Read one ``--arm`` text.

    Examples
    --------
    >>> extra_arm("name=unet,path=unet.keras,batch=16").batch_groups
    16
    """
    pairs = [part.partition("=") for part in text.split(",")]
    words = {key.strip(): value.strip() for key, equals, value in pairs if equals}
    unknown = [word for word in words if word not in ARM_WORDS]
    meant = [f"{word!r} is no key{nearest(word, ARM_WORDS)}" for word in unknown]
    if len(words) != len(pairs) or "name" not in words:
        needs = "it needs name=... and parts KEY=VALUE, each key once"
        raise _bad_arm(text, "; ".join([needs, *meant]))
    if ("path" in words) == ("reconstruction" in words):
        needs = "it needs either path=... or reconstruction=..."
        raise _bad_arm(text, "; ".join([needs, *meant]))
    if unknown and "reconstruction" in words:
        raise _bad_arm(text, "; ".join(meant))
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
            options=words,
        )
    except ValueError as error:
        raise _bad_arm(text, str(error)) from error


def _numbers(words: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
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
