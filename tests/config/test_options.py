"""Does all that can be said of an option follow from its one row?"""

from __future__ import annotations

import dataclasses
import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.cli.compare import command
from ptyrun.cli.plan import command as plan_command
from ptyrun.cli.run import command as run_command
from ptyrun.comparison import request
from ptyrun.config import ArmConfig, EvaluationOptions, Presentation, Selection, SessionOptions
from ptyrun.config.options import Entry, entries, gather
from ptyrun.errors import UsageError

TABLES = [Selection, EvaluationOptions, Presentation, SessionOptions]
ROWS = [(table, entry) for table in TABLES for entry in entries(table)]


@pytest.mark.parametrize(("table", "entry"), ROWS, ids=lambda value: getattr(value, "word", ""))
def test_every_row_says_what_it_does_and_has_the_default_of_its_field(
    table: type[Any], entry: Entry
) -> None:
    (field,) = [each for each in dataclasses.fields(table) if each.name == entry.field]
    assert entry.default == field.default
    assert entry.option.help.endswith(".") or all(each.help for each in entry.option.switches)
    assert entry.option.panel is not None


def test_no_two_options_share_a_word() -> None:
    words = [
        word for entry in request.options() for word in (entry.word, entry.option.also) if word
    ]
    assert len(words) == len({word.replace("_", "-") for word in words})


@pytest.mark.parametrize("made", [command, plan_command])
def test_what_describes_a_comparison_is_taken_by_both_commands(made: Any) -> None:
    named = {parameter.name for parameter in made.params}
    expected = {entry.name for entry in request.options() if not entry.option.switches}
    assert expected <= named


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Selection, ("n_groups", 0)),
        (Selection, ("subsample_seed", -1)),
        (EvaluationOptions, ("frc_sigma", float("inf"))),
        (EvaluationOptions, ("ms_ssim_sigma", float("nan"))),
        (EvaluationOptions, ("ms_ssim_sigma", 1e9)),
        (EvaluationOptions, ("frc_sigma", 1e300)),
        (Selection, ("grouping_seed", 10**20)),
        (Presentation, ("pixel_size_m", 0.0)),
        (Presentation, ("pixel_size_m", 25.0)),
        (Presentation, ("percentile_max", 101.0)),
        (Presentation, ("pinn_phase_vmin", float("nan"))),
    ],
)
def test_a_number_out_of_bounds_is_refused_by_its_word(
    made: type[Any], words: tuple[str, Any]
) -> None:
    (entry,) = [each for each in entries(made) if each.field == words[0]]
    with pytest.raises(UsageError, match=f"invalid {entry.word}"):
        made(**dict([words]))
    with pytest.raises(UsageError, match=f"invalid {entry.word}"):
        gather(made, {entry.name: words[1]})


def test_sizes_of_an_arm_are_refused_by_their_key() -> None:
    with pytest.raises(UsageError, match="invalid batch: 0"):
        ArmConfig("unet", Path("x"), "", batch_groups=0)
    assert ArmConfig("unet", Path("x"), "", chunk_groups=0).chunk_groups == 0, "one chunk"


@pytest.mark.parametrize("value", [True, "7", 7.5, None, [7]])
def test_a_value_of_another_type_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="it must be an integer"):
        gather(Selection, {"neighbor_count": value})


@pytest.mark.parametrize("value", ["no", "false", 0, 1, [True]])
def test_a_switch_is_true_or_false_and_no_word_for_it(value: Any) -> None:
    with pytest.raises(UsageError, match=r"(?s)invalid --skip-registration: .*it must be true or"):
        gather(EvaluationOptions, {"skip_registration": value})


SESSIONS = st.builds(
    SessionOptions,
    window_s=st.none() | st.floats(0.1, 1e6),
    max_chunks=st.none() | st.integers(1, 10**6),
    arms=st.none() | st.lists(st.sampled_from(["pinn", "unet"]), min_size=1).map(tuple),
    shared_folder=st.booleans(),
    lock_cpu=st.booleans(),
    workers=st.integers(1, 64),
    trusted_arms=st.lists(st.sampled_from(["pinn", "unet"])).map(tuple),
    adopt=st.booleans(),
)


@given(SESSIONS)
def test_the_words_of_a_session_are_read_as_the_same_session(session: SessionOptions) -> None:
    from ptyrun.cli.options import session_options

    context = run_command.make_context("run", ["RUN", *session.words()])
    assert session_options(dict(context.params)) == session


def values(entry: Entry) -> st.SearchStrategy[Any]:
    """Values that an option may have."""
    option = entry.option
    if entry.choices:
        return st.sampled_from(entry.choices)
    if entry.kind is bool:
        return st.booleans()
    if entry.kind is int:
        return st.integers(int(option.least or 0), 10**9)
    if entry.kind is float:
        low = option.least if option.above is None else 1e-12
        return st.floats(low, option.most or 1e9, allow_nan=False)
    if entry.name == "line":
        ends = st.tuples(*[st.floats(-99, 99)] * 2, *[st.floats(110, 999)] * 2)
        return ends.map(lambda each: ",".join(map(repr, each)))
    # Where a file is asked for, a folder that exists is refused.
    texts = st.text(st.characters(exclude_characters="\0"), min_size=1)
    return texts.filter(lambda text: not os.path.isdir(text))  # noqa: PTH112 - any text


DESCRIBED = [e for e in request.options() if not e.option.switches and e.name != "arm"]


@given(st.data())
def test_the_words_of_options_are_read_as_the_same_options(data: st.DataObject) -> None:
    # The ends of ranges must stand in order; each of the others may have any value.
    ends = {f"{a}_phase_v{e}" for a, e in itertools.product(["pinn", "baseline"], ["min", "max"])}
    free = [entry for entry in DESCRIBED if entry.name not in {"p_min", "p_max", *ends}]
    said = {entry.name: data.draw(values(entry), entry.word) for entry in free}
    words = [
        word
        for entry in free
        for pair in [entry.words(said[entry.name])]
        for word in (["=".join(pair)] if len(pair) == 2 else pair)
    ]
    context = command.make_context("compare", words)
    read = {name: each for name, each in context.params.items() if each is not None}
    assert request.configuration(read) == request.configuration(said)
