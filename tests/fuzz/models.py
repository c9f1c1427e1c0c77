"""How are model files spoilt? In their bytes, and in the members of their archives."""

from __future__ import annotations

import io
import json
import pickle
import random
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from ptyrun.cli.unforeseen import words_of
from ptyrun.errors import PtyrunError
from ptyrun.models.files import locate
from ptyrun.models.predictors import ModelRequest, check_request, open_predictor
from tests.fuzz.kinds import Kind, Said
from tests.fuzz.mutation import bytes_of, json_of, with_depths

PATCH_PX = 16
MADE_BY = "tests.fuzz.models:network"
CARDS = {"schema": 1, "backend": "pytorch", "file": "m.pth", "patch_px": PATCH_PX, "gridsize": 2}


def network() -> object:
    """Make the network of the state dict."""
    from tests.backends.torch_nets import Network

    return Network()


def asked(path: Path, options: dict[str, str]) -> Said:
    """Do with a model what a run does until the first batch, without any trust."""
    request = ModelRequest(path, PATCH_PX, 2, 2, options)
    words = ("open", str(path))
    try:
        found = locate(path)
        check_request(found, request)
        open_predictor(found.backend, request).close()
    except PtyrunError as error:
        return Said(words, int(error.exit_code), f"error: {error}")
    except Exception as error:
        return Said(words, 1, words_of(error))
    return Said(words, 0, "")


def spoilt_archive(rng: random.Random, data: bytes) -> bytes:
    """Spoil a member of a zip archive, in archives within it too; its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    inside = members[name]
    if inside.startswith(b"PK") and rng.random() < 0.8:
        members[name] = spoilt_archive(rng, inside)
    elif rng.random() < 0.1:
        members[name + "x"] = members.pop(name)
    else:
        try:
            document = json.loads(inside)
        except ValueError:
            members[name] = bytes_of(rng, inside)
        else:
            members[name] = with_depths(json.dumps(json_of(rng, document))).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    return buffer.getvalue()


class OfModels(Kind):
    """Models that one framework reads."""

    OPTIONS: ClassVar[dict[str, dict[str, str]]] = {}

    def is_good(self, said: Said) -> bool:
        return said.code in (0, 2)  # programs are refused

    def renew(self) -> None:
        super().renew()
        self.path = sorted(self.place.iterdir())[0]

    def spoil(self, rng: random.Random) -> None:
        shutil.rmtree(self.place / "run", ignore_errors=True)
        self.path = rng.choice(sorted(self.place.iterdir()))
        data = self.path.read_bytes()
        if data.startswith(b"PK") and rng.random() < 0.7:
            self.path.write_bytes(spoilt_archive(rng, data))
        elif self.path.suffix == ".json":
            changed = json_of(rng, json.loads(data))
            self.path.write_text(with_depths(json.dumps(changed)))
        else:
            self.path.write_bytes(bytes_of(rng, data))

    def read(self, rng: random.Random) -> Iterator[Said]:
        yield asked(self.path, self.OPTIONS.get(self.path.suffix, {}))


class OfTensorFlow(OfModels):
    """Keras files, of both formats, and upstream's bundles."""

    NAME = "keras"
    WEIGHT = 2
    NEEDS = "tensorflow"

    @classmethod
    def make(cls, samples: Path) -> None:
        from tests.backends.keras_nets import network as keras_network
        from tests.backends.keras_nets import saved

        folder = samples / cls.NAME
        folder.mkdir(parents=True, exist_ok=True)
        model = keras_network()
        saved(model, folder / "a.keras")
        saved(model, folder / "b.h5")
        params = {"N": PATCH_PX, "gridsize": 2, "nphotons": 1e9, "intensity_scale": 988.25}
        with zipfile.ZipFile(folder / "wts.h5.zip", "w") as archive:
            archive.writestr(
                "manifest.dill", pickle.dumps({"models": ["diffraction_to_obj"], "version": "1.0"})
            )
            archive.writestr("diffraction_to_obj/params.dill", pickle.dumps(params))
            archive.write(folder / "a.keras", "diffraction_to_obj/model.keras")


class OfPyTorch(OfModels):
    """State dicts, programs that are refused, and cards."""

    NAME = "torch"
    WEIGHT = 2
    NEEDS = "torch"
    WEIGHTS = (".pth", ".json", ".ckpt", ".safetensors", ".zip")
    OPTIONS: ClassVar = {suffix: {"factory": MADE_BY} for suffix in WEIGHTS}

    @classmethod
    def make(cls, samples: Path) -> None:
        import torch
        from safetensors.torch import save_file

        from tests.backends.torch_nets import Network, saved, torch_bundle

        folder = samples / cls.NAME
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in (".pth", ".pt2", ".ts"):
            saved(Network(), folder / f"m{suffix}")
        state = Network().state_dict()
        torch_bundle(folder / "wts.h5.zip", state, N=PATCH_PX, gridsize=2)
        content = {"state_dict": {f"model.{k}": v for k, v in state.items()}, "args": Path("x")}
        torch.save(content, folder / "m.ckpt")
        save_file(state, folder / "m.safetensors")
        (folder / "model.json").write_text(json.dumps(CARDS))


class OfOnnx(OfModels):
    """ONNX models, one with its weights beside it."""

    NAME = "onnx"
    WEIGHT = 1
    NEEDS = "onnxruntime"

    @classmethod
    def make(cls, samples: Path) -> None:
        from tests.onnx_nets import Net

        folder = samples / cls.NAME
        folder.mkdir(parents=True, exist_ok=True)
        Net(px=PATCH_PX).saved(folder / "a.onnx")
        Net(px=PATCH_PX, outside="b.data").saved(folder / "b.onnx")


MODELS: tuple[type[Kind], ...] = (OfTensorFlow, OfPyTorch, OfOnnx)
