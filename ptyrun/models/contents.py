"""What kind of model is a file, if its suffix alone does not tell?

People save PyTorch weights as ``.pt`` and TorchScript as ``.pth``, and upstream's bundles are
``wts.h5.zip`` whichever framework they are for. The names of an archive's members tell.
"""

from __future__ import annotations

from pathlib import Path

from ptyrun.host.zip_layout import AmbiguousZipError, member_names
from ptyrun.models.kinds import SUFFIXES, ModelKind

_OF_PYTORCH = (ModelKind.TORCHSCRIPT, ModelKind.STATE_DICT, ModelKind.EXPORTED)
# Before PyTorch 1.6 `torch.save` wrote a sequence of pickles, protocol 2.
_PICKLE = b"\x80\x02"
OLD_PROGRAM = "serialized_exported_program.json"  # PyTorch 2.1 to 2.7


def kind_of(path: Path) -> ModelKind:
    """Tell by the suffix, and by the content where several kinds share suffixes."""
    kind = SUFFIXES.get(path.suffix.lower(), ModelKind.OTHER)
    if kind not in (ModelKind.BUNDLE, *_OF_PYTORCH):
        return kind
    try:
        with path.open("rb") as file:
            if kind is not ModelKind.BUNDLE and file.read(2) == _PICKLE:
                return ModelKind.STATE_DICT
            names = member_names(file)
    except (OSError, AmbiguousZipError):
        return kind  # what is wrong with it is said by its reader
    if kind is ModelKind.BUNDLE:
        is_torch = any(name.endswith("/model.pth") for name in names)
        return ModelKind.TORCH_BUNDLE if is_torch else kind
    last = {name.rpartition("/")[2] for name in names}
    if OLD_PROGRAM in last or any(name.endswith("/models/model.json") for name in names):
        return ModelKind.EXPORTED
    if "constants.pkl" in last:
        return ModelKind.TORCHSCRIPT
    return ModelKind.STATE_DICT if "data.pkl" in last else kind
