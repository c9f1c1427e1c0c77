"""Is a Keras network made of plain parts alone? Its description is read without Keras.

A list of what is known, and not of what is dangerous: Keras has layers that hold code or open
files (Lambda, TorchModuleWrapper, TFSMLayer, lookups of vocabularies), gets new ones, and had
descriptions that named any function of any module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

PLAIN_LAYERS = frozenset({
    "Activation", "ActivityRegularization", "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D", "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D", "Add", "AdditiveAttention", "AlphaDropout", "Attention", "Average",
    "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "BatchNormalization",
    "Bidirectional", "CenterCrop", "Concatenate", "Conv1D", "Conv1DTranspose", "Conv2D",
    "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D",
    "Cropping1D", "Cropping2D", "Cropping3D", "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "Dot",
    "Dropout", "ELU", "EinsumDense", "Embedding", "Flatten", "GRU", "GRUCell", "GaussianDropout",
    "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GroupNormalization",
    "GroupQueryAttention", "GroupedQueryAttention", "Identity", "InputLayer", "LSTM", "LSTMCell",
    "LayerNormalization", "LeakyReLU", "Masking", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D",
    "Maximum", "Minimum", "MultiHeadAttention", "Multiply", "Normalization", "PReLU", "Permute",
    "RMSNormalization", "RNN", "ReLU", "RepeatVector", "Rescaling", "Reshape", "Resizing",
    "SeparableConv1D", "SeparableConv2D", "SimpleRNN", "SimpleRNNCell", "Softmax",
    "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "SpectralNormalization",
    "StackedRNNCells", "Subtract", "TimeDistributed", "UnitNormalization", "UpSampling1D",
    "UpSampling2D", "UpSampling3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
})  # fmt: skip
PLAIN_MODELS = frozenset({"Functional", "Model", "Sequential"})
PLAIN_POLICIES = frozenset({"DTypePolicy", "FloatDTypePolicy", "Policy"})
PLAIN_INITIALIZERS = frozenset({
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity",
    "IdentityInitializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal",
    "OrthogonalInitializer", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling",
    "Zeros",
})  # fmt: skip
PLAIN_REGULARIZERS = frozenset({"L1", "L1L2", "L2", "OrthogonalRegularizer"})
PLAIN_CONSTRAINTS = frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"})
PLAIN_ACTIVATIONS = frozenset({
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu",
    "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign",
    "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh", "tanh_shrink",
    "threshold",
})  # fmt: skip
# Parts of arguments and shapes, written as if they were classes.
PLAIN_VALUES = frozenset({
    "__keras_tensor__", "__tuple__", "__slice__", "__ellipsis__", "TensorShape",
})  # fmt: skip
# Of files that Keras 2 wrote, and of HDF5 files: without the modules of what they name.
_WITHOUT_MODULE = (
    PLAIN_VALUES | PLAIN_LAYERS | PLAIN_MODELS | PLAIN_POLICIES | PLAIN_INITIALIZERS
    | PLAIN_REGULARIZERS | PLAIN_CONSTRAINTS
)  # fmt: skip
_OF_ACTIVATIONS = ("builtins", "keras.activations", "keras.src.activations.activations")
MAX_SHOWN = 8


def strange_parts(
    config: Any, is_own: Callable[[dict[str, Any]], bool] = lambda part: False
) -> list[str]:
    """Name what a description holds that is not known to be plain; sorted.

    Parameters
    ----------
    config : JSON
        A network's.
    is_own : callable
        Whether a class is one of ptyrun's own, which it takes instead of Keras'.
    """
    if isinstance(config, dict):  # how it was compiled is not read: custom losses may stand there
        config = {name: part for name, part in config.items() if name != "compile_config"}
    found = set()
    for part in classes_in(config):
        if not _is_plain(part) and not is_own(part):
            found.add(_named(part))
    return sorted(found)


def classes_in(config: Any) -> Iterator[dict[str, Any]]:
    """Give all that names a class, wherever it is."""
    left = [config]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            if "class_name" in each:
                yield each
            left += each.values()
        elif isinstance(each, list):
            left += each


def _is_plain(part: dict[str, Any]) -> bool:
    name, module = part["class_name"], part.get("module") or ""
    if not isinstance(name, str) or not isinstance(module, str):
        return False
    if part.get("registered_name") not in (None, "", name, part.get("config")):
        return False  # a name that others may have registered
    if name == "function":
        return _is_plain_function(part.get("config"), module)
    match module.split("."):
        case [""]:
            return name in _WITHOUT_MODULE
        case ["keras", "layers"] | ["keras", "src", "layers", *_]:
            return name in PLAIN_LAYERS
        case ["keras", "initializers"] | ["keras", "src", "initializers", *_]:
            return name in PLAIN_INITIALIZERS
        case ["keras", "regularizers"] | ["keras", "src", "regularizers", *_]:
            return name in PLAIN_REGULARIZERS
        case ["keras", "constraints"] | ["keras", "src", "constraints", *_]:
            return name in PLAIN_CONSTRAINTS
        case ["keras"] | ["keras", "models" | "mixed_precision" | "dtype_policies"]:
            return name in PLAIN_MODELS | PLAIN_POLICIES
        case ["keras", "src", "models" | "dtype_policies", *_]:
            return name in PLAIN_MODELS | PLAIN_POLICIES
        case ["keras", "src", "ops", *_] | ["keras", "ops", *_]:
            # Operations are classes; what is written small is any function of the module.
            return name.isidentifier() and name[0].isupper()
        # What a network was trained with; it is built, and never used.
        case ["keras", "optimizers" | "losses" | "metrics", *_]:
            return name.isidentifier() and name[0].isupper()
        case ["builtins"]:
            return name in PLAIN_VALUES
    return False


def _is_plain_function(name: object, module: str) -> bool:
    return isinstance(name, str) and module in _OF_ACTIVATIONS and name in PLAIN_ACTIVATIONS


def _named(part: dict[str, Any]) -> str:
    module, name = part.get("module"), part["class_name"]
    if name == "function":
        name = f"function {part.get('config')}"
    holds = " (it holds code)" if "lambda" in str(name).lower() else ""
    return f"{f'{module}.' if module else ''}{name}"[:120] + holds
