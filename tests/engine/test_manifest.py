from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.config import Fact
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest, changes
from ptyrun.errors import DamageError, InputError, NewerError, SchemaError, UsageError
from ptyrun.host.documents import Upgrade, digest_of, text_of
from tests.engine.toys import toy_manifest
from tests.stages.hostile_run import redigested

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
    with pytest.raises(DamageError, match="changed after it was written"):
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
    with pytest.raises(InputError, match=r"not a planned run\n.*it holds no manifest.json\n"):
        Manifest.load(tmp_path / "manifest.json")
    with pytest.raises(InputError, match=r"not a planned run\n.*there is no folder of that name"):
        Manifest.load(tmp_path / "gone/manifest.json")


def test_a_folder_of_runs_is_refused_with_their_names(tmp_path: Path) -> None:
    for name in ("second", "first"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").touch()
    with pytest.raises(InputError, match="it holds runs: first, second\n  do:  name one of these"):
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
    "a model in a folder above": ("sources", "arm.one", "../.."),
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
SAID = {"frc_sigma": "--frc-sigma", "percentile_min": "p_min", "pixel_size_m": "--pixel-size-m"}


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


def in_words(document: dict[str, Any]) -> dict[str, Any]:
    arms = [{**arm, "facts": {**arm["facts"], "unit": "px"}} for arm in document["arms"]]
    return {**document, "arms": arms}


class Newer(Manifest):
    """The manifest of a ptyrun two schemas on: what one arm depends on has a fact more."""

    SCHEMA: ClassVar[int] = 3
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {1: in_words}


def test_an_upgraded_manifest_keeps_identity_and_fingerprints_as_they_are_stored() -> None:
    planned = toy_manifest(arms={"one": 1.0, "two": 2.0}, seed=3)
    read = Newer.from_json(planned.to_json())
    assert [arm.facts["unit"] for arm in read.arms] == ["px", "px"]
    assert read.digest == planned.digest
    assert [arm.fingerprint for arm in read.arms] == [arm.fingerprint for arm in planned.arms]
    assert read.to_json() == planned.to_json()
    moved = replace(read, sources={"scan": "elsewhere.npz"})
    assert moved.digest == planned.digest
    assert Newer.from_json(moved.to_json()).sources == moved.sources


def test_what_is_changed_of_a_manifest_that_was_read_is_another_one() -> None:
    read = Newer.from_json(toy_manifest(arms={"one": 1.0, "two": 2.0}).to_json())
    one, two = read.arms
    other = replace(one, facts={**one.facts, "scale": 5.0})
    assert other.fingerprint != one.fingerprint
    changed = replace(read, arms=(other, two))
    assert changed.digest != read.digest
    assert json.loads(changed.to_json())["schema"] == Newer.SCHEMA
    again = Newer.from_json(changed.to_json())
    assert (again.digest, again.arms[0].fingerprint) == (changed.digest, other.fingerprint)
    assert replace(read, shared={"seed": 4}).digest != read.digest


def test_an_arm_that_an_upgrade_leaves_alone_keeps_its_fingerprint_in_a_newer_manifest() -> None:
    class LikeNow(Manifest):
        SCHEMA: ClassVar[int] = 2

    planned = toy_manifest(arms={"one": 1.0, "two": 2.0})
    stored = json.loads(planned.to_json())
    for arm in stored["arms"]:
        del arm["index_sha256"]  # as if it had come later
    read = LikeNow.from_json(redigested(stored))
    one, two = read.arms
    assert one.fingerprint != planned.arms[0].fingerprint
    wanted = LikeNow(read.shared, (replace(one, as_read=None), replace(two, n_items=3)))
    assert not changes(read, replace(wanted, arms=(wanted.arms[0], two)))
    kept = wanted.with_arms_of(read)
    assert kept.arms[0].fingerprint == one.fingerprint
    again = LikeNow.from_json(kept.to_json())
    assert [arm.fingerprint for arm in again.arms] == [arm.fingerprint for arm in kept.arms]
    upgraded = Newer.from_json(planned.to_json())
    plain = replace(upgraded, arms=tuple(replace(arm, as_read=None) for arm in upgraded.arms))
    assert plain.with_arms_of(upgraded).arms[0].fingerprint == plain.arms[0].fingerprint


def test_every_changed_character_of_an_older_manifest_is_found_by_a_newer_ptyrun() -> None:
    text = toy_manifest().to_json()
    for place, character in enumerate(text):
        flipped = text[:place] + chr(ord(character) ^ 1) + text[place + 1 :]
        with pytest.raises((DamageError, SchemaError)):
            Newer.from_json(flipped)


def test_a_newer_manifest_is_called_newer_and_a_changed_schema_is_not() -> None:
    stored = json.loads(toy_manifest().to_json())
    with pytest.raises(NewerError, match="written by a newer ptyrun"):
        Manifest.from_json(redigested({**stored, "schema": 2, "tilts": [1]}))
    with pytest.raises(SchemaError, match="checksum does not match") as refused:
        Manifest.from_json(toy_manifest().to_json().replace('"schema": 1', '"schema": 9'))
    assert not isinstance(refused.value, NewerError)


def test_a_manifest_under_another_digest_than_its_own_is_found() -> None:
    stored = json.loads(toy_manifest().to_json())
    del stored["sha256"]
    stored["digest"] = "0" * 64
    text = text_of({**stored, "sha256": digest_of(stored)})
    with pytest.raises(DamageError, match="digest"):
        Manifest.from_json(text)


def test_how_an_arm_was_read_is_no_field_that_a_manifest_may_have() -> None:
    stored = json.loads(toy_manifest().to_json())
    for where in (stored, stored["arms"][0]):
        where["as_read"] = None
        with pytest.raises(SchemaError, match="unknown field"):
            Manifest.from_json(redigested(stored))
        del where["as_read"]


def test_a_table_that_a_manifest_does_not_name_is_named_where_it_is_needed() -> None:
    read = Manifest.from_json(toy_manifest().to_json())
    with pytest.raises(SchemaError, match="does not say 'index/one/absent' of arm"):
        read.arms[0].index_sha256["index/one/absent"]
