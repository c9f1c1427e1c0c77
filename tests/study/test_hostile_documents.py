"""Does whatever stands in a study's documents end in a word, and never in a traceback?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ptyrun.errors import PtyrunError, SchemaError
from ptyrun.host.documents import sealed
from ptyrun.study.asking import study_asked
from ptyrun.study.config_file import StudyFile
from ptyrun.study.identity import HubStudy
from ptyrun.study.plan import Study, graph
from ptyrun.study.state import State, survey
from tests.study.hubs import done, small_study

ANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
VALUES = [
    "1",
    "-1",
    "1.5",
    "nan",
    "true",
    '"x"',
    "[]",
    "[[1]]",
    '["x", 1]',
    "{a = 1}",
    "1979-05-27",
]
KEYS = [
    *("hub", "output_root", "dose", "view", "splits", "base_npz", "n_images", "seed", "name"),
    *("stage", "config", "x", "split-fraction", "probe_diameter_px", "positions"),
]


@ANY
@given(st.text(max_size=60) | st.builds("\n".join, st.lists(st.text(max_size=20), max_size=4)))
@example("[[stage]]\nname = 1")
@example("stage = [[1]]")
@example("x = " + "[" * 10_000)
def test_any_text_is_a_study_or_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        StudyFile(path)
    except PtyrunError as error:
        assert error.exit_code == 2
        assert str(path) in str(error)


@ANY
@given(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=3))
def test_any_values_make_a_graph_or_are_refused_with_their_line(
    tmp_path: Path, values: dict[str, str]
) -> None:
    path = tmp_path / "study.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in values.items()))
    try:
        graph(study_asked({}, path))
    except PtyrunError as error:
        assert error.exit_code == 2, error


@ANY
@given(
    st.dictionaries(
        st.sampled_from(["name", "command", "inputs", "outputs", "files", "parameters", "x"]),
        st.sampled_from(
            [*VALUES, '["data/a"]', '["{dose}"]', '["../a"]', '"a-{view}"', '["\\u0000"]']
        ),
    )
)
def test_any_stage_takes_its_place_or_is_refused(tmp_path: Path, values: dict[str, str]) -> None:
    lines = "".join(f"{key} = {value}\n" for key, value in values.items())
    path = tmp_path / "study.toml"
    path.write_text(f'hub = "h"\nbase_npz = "b"\n[[stage]]\n{lines}')
    try:
        graph(study_asked({}, path))
    except PtyrunError as error:
        assert error.exit_code == 2, error


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = small_study(tmp_path_factory.mktemp("study"))
    done(study)
    return study


@ANY
@given(st.sampled_from(["stage", "parameters", "inputs", "outputs", "made_at", "duration_s"]), JSON)
def test_any_record_is_read_or_is_none(study: Study, field: str, value: object) -> None:
    """Sealed by somebody who wants to mislead."""
    stages = graph(study)
    path = stages.by_key["split-dose_1000"].record(stages.hub)
    whole = path.read_text()
    document = json.loads(whole)
    document.pop("sha256")
    try:
        path.write_text(sealed({**document, field: value}))
        found = survey(stages)["split-dose_1000"]
        assert found.state in (State.DONE, State.STALE, State.PENDING)
        if field in ("parameters", "inputs", "outputs"):
            assert found.state is not State.DONE
    finally:
        path.write_text(whole)


@pytest.mark.parametrize("name", ["study.json", "locks/split-dose_1000.lock"])
@pytest.mark.parametrize("text", ["", "[]", "{", "\0" * 10, '{"schema": 99}'])
def test_any_document_of_the_hub_is_read_or_refused(study: Study, name: str, text: str) -> None:
    path = study.hub.path(name)
    whole = path.read_bytes() if path.exists() else None
    path.write_text(text)
    try:
        survey(graph(study_asked({"hub": str(study.hub.root)}, None)))
    except PtyrunError as error:
        assert error.exit_code == 2
        assert "study.json" in str(error) or "--base-npz" in str(error)
    finally:
        path.unlink() if whole is None else path.write_bytes(whole)


@pytest.mark.parametrize("text", ["", "{", "nan", "[" * 100_000, "\x00"])
def test_an_option_of_a_hub_that_is_no_json_is_named(tmp_path: Path, text: str) -> None:
    document = {"schema": 1, "name": "hub", "options": {"seed": text}}
    (tmp_path / HubStudy.NAME).write_text(sealed(document), encoding="utf-8")
    with pytest.raises(SchemaError, match="seed"):
        HubStudy.load(tmp_path / HubStudy.NAME)
