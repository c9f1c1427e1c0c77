from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.errors import ModelError
from ptyrun.models.cards import inspect
from ptyrun.models.files import locate
from ptyrun.models.inputs import NetworkInput
from ptyrun.models.saved_models import saved_inputs
from tests.protobuf import field, varint


def entry(name: bytes, value: bytes) -> bytes:
    return field(1, name) + field(2, value)


def tensor(shape: tuple[int, ...], dtype: int = 1) -> bytes:
    dims = b"".join(field(2, varint(1 << 3) + varint(size)) for size in shape)
    return field(1, b"some_op:0") + varint(2 << 3) + varint(dtype) + field(3, dims)


def saved_model(inputs: dict[str, tuple[int, ...]], signature: bytes = b"serving_default") -> bytes:
    """SavedModel > MetaGraphDef > SignatureDef, as protocol buffers are encoded."""
    named = b"".join(field(1, entry(k.encode(), tensor(v))) for k, v in inputs.items())
    other = field(5, entry(b"__saved_model_init_op", field(1, entry(b"no", tensor((7, 7))))))
    return varint(1 << 3) + varint(1) + field(2, other + field(5, entry(signature, named)))


def written(folder: Path, content: bytes) -> Path:
    path = folder / "saved_model.pb"
    path.write_bytes(content)
    return path


shapes = st.lists(st.just(-1) | st.integers(1, 1 << 40), max_size=5).map(tuple)


@given(st.dictionaries(st.text("abc_", min_size=1), shapes, max_size=4))
@settings(deadline=None)
def test_the_inputs_of_the_default_signature_are_read(
    tmp_path_factory: pytest.TempPathFactory, inputs: dict[str, tuple[int, ...]]
) -> None:
    path = written(tmp_path_factory.getbasetemp(), saved_model(inputs))
    wanted = tuple(
        NetworkInput(name, tuple(size if size > 0 else None for size in shape) or None, "float32")
        for name, shape in sorted(inputs.items())
    )
    assert saved_inputs(path) == wanted


@pytest.mark.parametrize(("number", "dtype"), [(4, "uint8"), (17, "uint16"), (99, "type 99")])
def test_a_saved_model_that_takes_no_floats_is_refused(
    tmp_path: Path, number: int, dtype: str
) -> None:
    given = field(1, entry(b"image", tensor((-1, 8, 8, 1), number)))
    model = field(2, field(5, entry(b"serving_default", given)))
    written(tmp_path, model)
    with pytest.raises(ModelError, match=f"takes {dtype} as its input image"):
        inspect(locate(tmp_path))


def test_another_signature_says_nothing(tmp_path: Path) -> None:
    assert saved_inputs(written(tmp_path, saved_model({"x": (-1, 8)}, b"train"))) == ()


@given(st.binary(max_size=100))
@settings(deadline=None)
def test_any_other_bytes_are_refused_or_say_nothing(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = written(tmp_path_factory.getbasetemp(), content)
    try:
        assert saved_inputs(path) == ()
    except ModelError as error:
        assert "saved_model.pb" in str(error)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    whole = saved_model({"input": (-1, 64, 64, 4)})
    with pytest.raises(ModelError, match=r"saved_model\.pb cannot be read"):
        saved_inputs(written(tmp_path, whole[:-3]))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"saved_model\.pb cannot be read"):
        saved_inputs(tmp_path / "saved_model.pb")
