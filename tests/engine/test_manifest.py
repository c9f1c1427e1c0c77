from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.config import Fact
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest, changes
from ptyrun.errors import DamageError, InputError, SchemaError, UsageError
from tests.engine.toys import toy_manifest

sizes = st.integers(1, 400)


def plan(n_items: int, chunk_items: int) -> ArmPlan:
    return ArmPlan("pinn", "PINN", "predictor", n_items, chunk_items, (4, 4), "complex64")


@given(n_items=sizes, chunk_items=sizes)
def test_chunks_hold_every_item_once_and_in_order(n_items: int, chunk_items: int) -> None:
    arm = plan(n_items, chunk_items)
    items = [item for chunk in range(arm.n_chunks) for item in arm.chunk_range(chunk)]
    assert items == list(range(n_items))
    assert all(len(arm.chunk_range(chunk)) == chunk_items for chunk in range(arm.n_chunks - 1))


def test_there_is_no_chunk_outside_the_plan() -> None:
    for chunk in (-1, 3):
        with pytest.raises(IndexError, match="no chunk"):
            plan(9, 3).chunk_range(chunk)


def test_a_reconstruction_has_no_chunks() -> None:
    arm = ArmPlan("recon", "PtyChi", "reconstruction", 0, 0, (64, 64), "complex64")
    assert arm.n_chunks == 0


@pytest.mark.parametrize("broken", [{"kind": "guess"}, {"chunk_items": 0}, {"n_items": -1}])
def test_a_cut_that_makes_no_sense_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="cannot be planned"):
        replace(plan(9, 3), **broken)  # type: ignore[arg-type]


def test_equal_manifests_are_equal_bytes_and_come_back(tmp_path: Path) -> None:
    manifest = toy_manifest(arms={"pinn": 1.0, "baseline": 2.0}, seed=3)
    manifest.save(tmp_path / "manifest.json")
    again = Manifest.load(tmp_path / "manifest.json")
    assert again == manifest
    assert again.to_json() == manifest.to_json()
    assert again.digest == manifest.digest


def test_where_inputs_lie_is_not_part_of_the_identity() -> None:
    manifest = toy_manifest()
    moved = replace(manifest, sources={"scan": "elsewhere.npz"})
    assert moved.digest == manifest.digest
    assert not changes(manifest, moved)


def test_every_fact_is_part_of_the_identity_and_named_when_it_changes() -> None:
    old = toy_manifest(64, 8, {"pinn": 1.0, "baseline": 2.0}, seed=3)
    new = toy_manifest(64, 16, {"pinn": 1.5, "baseline": 2.0}, seed=4, new=True)
    assert old.digest != new.digest
    assert [str(change) for change in changes(old, new)] == [
        "new was absent, is True",
        "seed was 3, is 4",
        "pinn: chunk_items was 8, is 16",
        "pinn: scale was 1.0, is 1.5",
        "baseline: chunk_items was 8, is 16",
    ]


def test_a_number_and_its_text_are_different_facts() -> None:
    (change,) = changes(toy_manifest(seed=1), toy_manifest(seed="1"))
    assert change.fact == "seed"


def test_an_arm_that_comes_or_goes_is_named() -> None:
    one, two = toy_manifest(), toy_manifest(arms={"one": 1.0, "two": 1.0})
    assert [str(change) for change in changes(one, two)] == ["two: arm was absent, is present"]
    assert [str(change) for change in changes(two, one)] == ["two: arm was present, is absent"]


def test_the_order_of_arms_is_part_of_the_identity_and_named() -> None:
    manifest = toy_manifest(arms={"one": 1.0, "two": 1.0})
    turned = replace(manifest, arms=manifest.arms[::-1])
    (change,) = changes(manifest, turned)
    assert "one,two" in str(change)


def test_fingerprints_follow_everything_that_chunks_depend_on() -> None:
    arm = toy_manifest().arms[0]
    assert len(arm.fingerprint) == 16
    others = [
        replace(arm, chunk_items=arm.chunk_items + 1),
        replace(arm, facts={"scale": 1.25}),
        replace(arm, index_sha256={}),
        replace(arm, n_items=arm.n_items + 1),
    ]
    assert len({arm.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_two_arms_of_one_name_are_refused() -> None:
    arm = toy_manifest().arms[0]
    with pytest.raises(UsageError, match="same name"):
        Manifest({}, (arm, arm))


def test_an_unknown_arm_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UsageError, match=r"no arm 'pin'(.|\n)*one"):
        toy_manifest().arm("pin")


def test_every_changed_character_of_a_manifest_is_found() -> None:
    text = toy_manifest().to_json()
    for place, character in enumerate(text):
        for bit in range(8):
            flipped = text[:place] + chr(ord(character) ^ 1 << bit) + text[place + 1 :]
            with pytest.raises((DamageError, SchemaError)):
                Manifest.from_json(flipped)


def test_a_changed_value_is_damage_even_where_no_plan_can_hold_it() -> None:
    text = toy_manifest().to_json().replace('"kind": "predictor"', '"kind": "pred1ctor"')
    with pytest.raises(DamageError, match="checksum does not match"):
        Manifest.from_json(text)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n",
        lambda text: json.dumps(json.loads(text), sort_keys=True, allow_nan=False),
        lambda text: text.replace('"TOY', '"\\u0054OY').replace('"ONE"', '"\\u004fNE"'),
    ],
    ids=["without its last newline", "with one more", "laid out otherwise", "escaped otherwise"],
)
def test_a_manifest_of_equal_content_and_another_text_is_found(edit: Callable[[str], str]) -> None:
    text = toy_manifest().to_json()
    edited = edit(text)
    assert edited != text and json.loads(edited) == json.loads(text)
    with pytest.raises(DamageError, match="not what was written"):
        Manifest.from_json(edited)


def test_a_newer_schema_is_refused_by_name() -> None:
    document = json.loads(toy_manifest().to_json())
    with pytest.raises(SchemaError, match="schema 99"):
        Manifest.from_json(json.dumps({**document, "schema": 99}))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"schema": 1}', '{"schema": "x"}'])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(SchemaError):
        Manifest.from_json(text)


def test_a_folder_without_a_manifest_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a planned run"):
        Manifest.load(tmp_path / "manifest.json")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b"\xff\xfe")
    with pytest.raises(SchemaError):
        Manifest.load(tmp_path / "manifest.json")


WRONG: dict[str, tuple[str, str, Fact]] = {
    "a text for a number": ("arm", "gridsize", "abc"),
    "a truth for a number": ("arm", "batch_groups", True),
    "no batch": ("arm", "batch_groups", 0),
    "a huge gridsize": ("arm", "gridsize", 10**6),
    "a number for a name": ("arm", "backend", 3),
    "a limit of nothing": ("arm", "limit_groups", -1),
    "a selection's gridsize": ("shared", "selection_gridsize", "2x"),
    "a seed in words": ("shared", "grouping_seed", "seven"),
    "an unknown kind": ("shared", "diffraction_kind", "phase"),
    "an unknown compression": ("shared", "compression", "zip"),
    "an unknown alignment": ("shared", "alignment", "crooked"),
    "a negative width": ("shared", "frc_sigma", -1.0),
    "a crop that is none": ("shared", "stitch_crop_px", 0),
    "a scan without a name": ("sources", "scan", None),
    "a path with a null byte": ("sources", "arm.one", "a\0b"),
    "a path that no system can have": ("sources", "scan", "\ud800"),
    "a switch in words": ("sources", "save_npz", "yes"),
    "percentiles in the wrong order": ("sources", "percentile_min", 99.0),
    "a pixel without a size": ("sources", "pixel_size_m", 0.0),
}


def with_fact(part: str, fact: str, value: Fact) -> Manifest:
    manifest = toy_manifest()
    if part == "arm":
        (arm,) = manifest.arms
        return replace(manifest, arms=(replace(arm, facts={**arm.facts, fact: value}),))
    facts = {**getattr(manifest, part), fact: value}
    return replace(manifest, shared=facts) if part == "shared" else replace(manifest, sources=facts)


# Settings that are refused as their options are.
SAID = {"frc_sigma": "frc sigma", "percentile_min": "p_min", "pixel_size_m": "pixel size"}


@pytest.mark.parametrize("case", WRONG)
def test_a_fact_of_a_wrong_value_is_refused_with_the_names_of_file_and_fact(
    case: str, tmp_path: Path
) -> None:
    part, fact, value = WRONG[case]
    named = SAID.get(fact, fact)
    wrong = with_fact(part, fact, value)
    path = tmp_path / "manifest.json"
    path.write_bytes(wrong.to_json().encode())
    with pytest.raises(SchemaError) as refused:
        Manifest.load(path)
    assert refused.value.exit_code == 2
    assert str(path) in str(refused.value)
    assert named in str(refused.value)


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)


@given(case=st.sampled_from(sorted(WRONG)), value=scalars | st.text())
def test_any_value_of_a_fact_is_either_taken_or_refused_by_name(case: str, value: Fact) -> None:
    part, fact, _ = WRONG[case]
    with suppress(SchemaError):
        Manifest.from_json(with_fact(part, fact, value).to_json())
