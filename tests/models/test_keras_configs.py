"""Which descriptions of Keras networks are of plain parts alone?"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import pytest

from ptyrun.errors import ModelError
from ptyrun.models.cards import inspect
from ptyrun.models.files import locate
from ptyrun.models.keras_configs import strange_parts

CLASS = dict[str, Any]


def of(name: Any, module: Any = None, config: Any = None, **more: Any) -> CLASS:
    return {"class_name": name, "module": module, "config": config or {}, **more}


PLAIN = {
    "a layer": of("Conv2D", "keras.layers", {"activation": "relu"}, registered_name=None),
    "a layer of Keras 2": {"class_name": "Conv2D", "config": {"activation": "relu"}},
    "an operation": of("Mean", "keras.src.ops.numpy", {"axis": 1}, registered_name="Mean"),
    "an activation": of("function", "builtins", "relu", registered_name="function"),
    "an initializer": of("GlorotUniform", "keras.initializers", {"seed": None}),
    "an initializer of Keras 2": {"class_name": "GlorotUniform", "config": {}},
    "a regularizer": of("L2", "keras.regularizers", {"l2": 0.1}),
    "a policy": of("DTypePolicy", "keras", {"name": "float32"}),
    "a tensor": {"class_name": "__keras_tensor__", "config": {"shape": [1]}},
    "how a part was compiled": {
        **of("Sequential", "keras"), "compile_config": {"optimizer": of("Adam", "keras.optimizers")}
    },
}  # fmt: skip
STRANGE = {
    "code": of("Lambda", "keras.layers"),
    "code of Keras 2": {"class_name": "Lambda", "config": {"function": ["4wA=", None, None]}},
    "code in small": {"class_name": "__lambda__", "config": {"value": "4wA="}},
    "a module of PyTorch": of("TorchModuleWrapper", "keras.layers"),
    "a SavedModel": of("TFSMLayer", "keras.layers", {"filepath": "/tmp/x"}),
    "a SavedModel by its place": of("TFSMLayer", "keras.src.export.tfsm_layer"),
    "words in a file": of("StringLookup", "keras.layers", {"vocabulary": "/etc/passwd"}),
    "a function that downloads": of("function", "keras.utils", "get_file"),
    "a function among operations": of("function", "keras.ops", "map"),
    "one that is called as it is made": of("load_model", "keras.models"),
    "one among operations": of("vectorize", "keras.ops"),
    "one of builtins": of("function", "builtins", "exec"),
    "one that makes all of its kind": of("get", "keras.initializers"),
    "another's module": of("system", "os"),
    "a module that looks like Keras": of("Dense", "kerasx.layers"),
    "a registered name": of("Dense", "keras.layers", registered_name="other>Dense"),
    "a type of TensorFlow": {"class_name": "__typespec__", "spec_name": "x", "config": []},
    "a name that is none": of(["Dense"], "keras.layers"),
    "a module that is none": of("Dense", ["keras.layers"]),
    "a name with a dot": of("numpy.Mean", "keras.src.ops"),
    "nothing": of("", "keras.src.ops"),
}


def places(part: CLASS) -> dict[str, CLASS]:
    """Put a part where Keras makes something of it."""
    conv = of("Conv2D", "keras.layers", {"kernel_initializer": part})
    return {
        "a layer": of("Functional", "keras", {"layers": [part]}),
        "an argument": of("Functional", "keras", {"layers": [conv]}),
        "a network in a network": of(
            "Functional", "keras", {"layers": [of("Sequential", "keras", {"layers": [part]})]}
        ),
        "between layers": of(
            "Functional",
            "keras",
            {"layers": [{**of("Add", "keras.layers"), "inbound_nodes": [{"args": [part]}]}]},
        ),
        "around a layer": of(
            "Sequential", "keras", {"layers": [of("TimeDistributed", None, {"layer": part})]}
        ),
        "how it was built": of(
            "Sequential", "keras", {"layers": [of("Add", None, build_config={"x": [part]})]}
        ),
    }


@pytest.mark.parametrize("what", PLAIN)
def test_what_is_plain_is_so_wherever_it_is(what: str) -> None:
    for config in places(PLAIN[what]).values():
        assert strange_parts(config) == []


@pytest.mark.parametrize("what", STRANGE)
def test_what_is_strange_is_named_wherever_it_is(what: str) -> None:
    for where, config in places(STRANGE[what]).items():
        assert len(strange_parts(config)) == 1, where
    assert len(strange_parts(STRANGE[what])) == 1


def test_how_the_whole_network_was_compiled_is_not_read() -> None:
    loss = of("function", None, "my_loss", registered_name="my_loss")
    config = of("Sequential", "keras", {"layers": []}, compile_config={"loss": loss})
    assert strange_parts(config) == []


def test_a_description_nested_without_end_is_looked_through() -> None:
    deep: Any = of("Lambda", "keras.layers")
    for _ in range(100_000):
        deep = [deep]
    assert strange_parts({"config": deep}) == ["keras.layers.Lambda (it holds code)"]


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
@pytest.mark.parametrize("what", ["code", "a SavedModel", "words in a file"])
def test_a_file_with_such_a_part_is_refused_before_keras_is_imported(
    name: str, what: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    config = json.dumps(places(STRANGE[what])["a network in a network"])
    if name.endswith(".h5"):
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = config
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", config)
    with pytest.raises(ModelError, match=f"{STRANGE[what]['class_name']}(.|\n)*--trust-model"):
        inspect(locate(path))
