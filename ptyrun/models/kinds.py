"""What kinds of model files are there, who reads them, and whose word does that take?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ModelKind(StrEnum):
    """What a model file is."""

    BUNDLE = "upstream bundle"
    TORCH_BUNDLE = "upstream bundle of PyTorch weights"
    KERAS = "Keras 3 file"
    KERAS_H5 = "legacy Keras HDF5 file"
    SAVED_MODEL = "TensorFlow SavedModel"
    EXPORTED = "torch.export program"
    TORCHSCRIPT = "TorchScript file"
    ONNX = "ONNX model"
    STATE_DICT = "PyTorch state dict"
    SAFETENSORS = "safetensors file"
    OTHER = "model of another package"


@dataclass(frozen=True)
class Format:
    """One kind, for code and for the table in the documents.

    ``is_program`` is said of what is run when it is loaded or used, and of which nothing can tell
    what it does; ``needs_factory`` of weights whose network only the user's own code can make.
    """

    kind: ModelKind
    backend: str
    suffixes: tuple[str, ...]
    is_read: str
    limits: str
    is_program: bool = False
    needs_factory: bool = False
    trust: str = ""

    @property
    def word(self) -> str:
        """What a user must say for it to be loaded, as the documents have it."""
        if self.trust:
            return self.trust
        if self.is_program:
            return "`--trust-model ARM`"
        return "none; `factory=` names your own code" if self.needs_factory else "none"


_TORCH_WEIGHTS = (
    "weights alone; the key `state_dict`, `model_state_dict` or `model` of a checkpoint, and "
    "prefixes like `module.`, `_orig_mod.` and `model.`, are taken off; nothing else is unpickled"
)
FORMATS = (
    Format(
        ModelKind.BUNDLE, "tf", (".zip",),
        "network and weights, patch size, gridsize and intensity scale of PtychoPINN",
        "layers that ptyrun does not know need `--trust-model ARM` and PtychoPINN itself",
        trust="none",
    ),
    Format(
        ModelKind.TORCH_BUNDLE, "pytorch", (),
        "weights, patch size and gridsize of PtychoPINN's version 2.0-pytorch",
        "recognised by its content",
        needs_factory=True,
    ),
    Format(
        ModelKind.KERAS, "tf", (".keras",), "network and weights",
        "plain layers of Keras, none that holds code or opens files; float inputs",
    ),
    Format(
        ModelKind.KERAS_H5, "tf", (".h5", ".hdf5"), "network and weights",
        "plain layers of Keras, none that holds code or opens files; float inputs",
    ),
    Format(
        ModelKind.SAVED_MODEL, "tf", (), "the signature `serving_default`",
        "a folder with `saved_model.pb`; float inputs",
        is_program=True,
    ),
    Format(
        ModelKind.EXPORTED, "pytorch", (".pt2",), "the program and its weights",
        "layouts of PyTorch 2.6 and later; float inputs, whatever their width",
        is_program=True,
    ),
    Format(
        ModelKind.TORCHSCRIPT, "pytorch", (".pt", ".ts", ".torchscript"),
        "the method `forward`", "given floats as wide as its weights",
        is_program=True,
    ),
    Format(
        ModelKind.ONNX, "onnx", (".onnx",), "the graph and its weights",
        "needs `ptyrun[onnx]`; operators of ONNX and of ONNX Runtime alone; weights "
        "in files beside it are read, and refused anywhere else; float inputs",
    ),
    Format(
        ModelKind.STATE_DICT, "pytorch", (".pth", ".ckpt"), _TORCH_WEIGHTS,
        "also under `.pt`; a whole network that was pickled is refused",
        needs_factory=True,
    ),
    Format(
        ModelKind.SAFETENSORS, "pytorch", (".safetensors",),
        "weights alone; prefixes as of a state dict", "needs `ptyrun[safetensors]`",
        needs_factory=True,
    ),
)  # fmt: skip

BACKENDS = {each.kind: each.backend for each in FORMATS}
PROGRAMS = frozenset(each.kind for each in FORMATS if each.is_program)
WEIGHTS_ALONE = frozenset(each.kind for each in FORMATS if each.needs_factory)
SUFFIXES = {suffix: each.kind for each in FORMATS for suffix in each.suffixes}
