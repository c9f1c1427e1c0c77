from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.errors import ModelError
from ptyrun.models import protobuf
from ptyrun.models.files import ModelFile, locate
from ptyrun.models.kinds import ModelKind
from ptyrun.models.onnx_files import data_files, read_onnx
from tests.onnx_nets import Net, attribute, graph, model, node, tensor, value
from tests.protobuf import field


def written(folder: Path, content: bytes) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(content)
    return path


def around(*nodes: bytes, weights: tuple[bytes, ...] = ()) -> bytes:
    return graph(nodes, weights, [value("x", (1, 4, 8, 8))], [value("y", None)])


CUSTOM = node("Run", ["x"], ["y"], domain="acme.tools")
BRANCH = node("If", ["x"], ["y"], attribute("then_branch", graph([CUSTOM])))


@pytest.mark.parametrize(
    "content",
    [
        model(around(CUSTOM), "acme.tools"),
        model(around(BRANCH), "acme.tools"),
        model(around(node("Relu", ["x"], ["y"])), more=field(25, field(1, "f") + field(7, CUSTOM))),
        model(around(node("Loop", ["x"], ["y"], attribute("body", graph([BRANCH]))))),
    ],
    ids=["graph", "branch", "function", "branch of a loop"],
)
def test_an_operator_of_somebody_elses_is_refused_wherever_it_is(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(ModelError, match=r"does not run: acme\.tools\.Run"):
        read_onnx(written(tmp_path, content))


def test_an_operator_that_names_a_file_for_a_device_is_refused(tmp_path: Path) -> None:
    context = node("EPContext", ["x"], ["y"], domain="com.microsoft")
    with pytest.raises(ModelError, match="EPContext"):
        read_onnx(written(tmp_path, model(around(context), "com.microsoft")))


def test_functions_of_the_models_own_are_no_operators_of_others(tmp_path: Path) -> None:
    function = field(1, "Twice") + field(7, node("Relu", ["a"], ["b"])) + field(10, "mine")
    content = model(around(node("Twice", ["x"], ["y"], domain="mine")), more=field(25, function))
    assert read_onnx(written(tmp_path, content)).data == ()


@pytest.mark.parametrize(
    "place", ["../secret", "/etc/passwd", "sub/data", "absent", "", "..", "link", "sub"]
)
@pytest.mark.parametrize("where", ["graph", "attribute"])
def test_weights_that_are_not_beside_the_model_are_refused(
    tmp_path: Path, place: str, where: str
) -> None:
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    for path in (tmp_path / "secret", folder / "sub" / "data"):
        path.write_bytes(bytes(16))
    (folder / "link").symlink_to(tmp_path / "secret")
    weights = tensor("w", np.ones(4, np.float32), place)
    if where == "graph":
        inside = around(node("Relu", ["x"], ["y"]), weights=(weights,))
    else:
        constant = field(5, field(1, "value") + field(5, weights))
        inside = around(node("Constant", [], ["y"], constant))
    with pytest.raises(ModelError, match="wants weights from"):
        read_onnx(written(folder, model(inside)))


def test_weights_beside_the_model_are_named(tmp_path: Path) -> None:
    path = Net(outside="net.data").saved(tmp_path / "net.onnx")
    assert data_files(locate(path)) == ("net.data",)
    assert data_files(ModelFile(path, "mine", ModelKind.OTHER)) == ()


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((1, 4, 8, 8), 1), ((1, 8, 8, 4), 3), (("b", "c", 8, 8), 1), (("b", 8, 8, "c"), 3),
        (("b", 4, "h", "w"), 1), (("b", "h", "w", 4), 3), (("b", 4, 4, 4), None),
        (("b", "c", "h", "w"), None), ((1, 1, 2, 4), None),
    ],
)  # fmt: skip
def test_shapes_tell_where_the_channels_are(
    tmp_path: Path, shape: tuple[int | str, ...], axis: int | None
) -> None:
    content = model(graph([node("Relu", ["x"], ["y"])], (), [value("x", shape)], []))
    assert read_onnx(written(tmp_path, content)).channel_axis == axis


def test_weights_among_the_inputs_are_no_inputs(tmp_path: Path) -> None:
    """Before version 4 every weight was listed as an input too."""
    inside = graph(
        [node("Relu", ["x"], ["y"])],
        [tensor("w", np.ones(4, np.float32))],
        [value("w", (4,)), value("x", (1, 4, 8, 8))],
    )
    (given,) = read_onnx(written(tmp_path, model(inside))).inputs
    assert (given.name, given.shape, given.dtype) == ("x", (1, 4, 8, 8), "float32")


@given(at=st.integers(0, 10_000), content=st.binary(max_size=40), cut=st.booleans())
@settings(deadline=None)
def test_any_other_bytes_are_refused_or_read_as_what_they_say(
    tmp_path_factory: pytest.TempPathFactory, at: int, content: bytes, cut: bool
) -> None:
    whole = model(Net().graph)
    at %= len(whole)
    path = written(
        tmp_path_factory.getbasetemp(),
        whole[:at] if cut else whole[:at] + content + whole[at + len(content) :],
    )
    try:
        assert read_onnx(path).data == ()
    except ModelError as error:
        assert "net.onnx" in str(error)


def test_a_file_of_parts_without_number_is_not_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, model(around(*[node("Relu", ["x"], ["y"])] * 50)))
    read_onnx(path)
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 500)
    with pytest.raises(ModelError, match="too many parts"):
        read_onnx(path)
