"""Which file of a model folder is the model, and which backend reads it?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from ptyrun.config import OWN_BACKENDS
from ptyrun.errors import ModelError, SchemaError
from ptyrun.host import trees
from ptyrun.host.documents import Document, why_none
from ptyrun.host.regular import read_bounded
from ptyrun.models.contents import kind_of
from ptyrun.models.kinds import (
    BACKENDS,
    FORMATS,
    PROGRAMS,
    SUFFIXES,
    ModelKind,
)

CARD_NAME = "model.json"
# As Hugging Face's tools name them.
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.\w+$|\.(safetensors|bin)\.index\.json$")


@dataclass(frozen=True)
class ModelCard:
    """What a model says of itself; None where it does not say.

    Attributes
    ----------
    patch_px : int, optional
        Side N of the patterns and patches that it takes and gives.
    gridsize : int, optional
        Its groups have C = gridsize^2 patterns.
    takes_offsets : bool, optional
        Whether it is given the local offsets of a group's members.
    description : str
        What it is, for logs and errors.
    notes : tuple of str
        What was assumed or chosen, for the user.
    batch_items : int, optional
        The only number of groups that it takes at once; None if it takes any.
    """

    patch_px: int | None
    gridsize: int | None
    takes_offsets: bool | None
    description: str
    notes: tuple[str, ...] = ()
    batch_items: int | None = None


@dataclass(frozen=True)
class ModelFile:
    """A model found on disk: a file, or the folder of a SavedModel.

    Attributes
    ----------
    path : Path
        The file or folder.
    backend : str
        Name of the predictor that reads it.
    kind : ModelKind
        What kind of file it is.
    patch_px, gridsize : int, optional
        What ``model.json`` beside it declares.
    notes : tuple of str
        What was chosen when there was a choice.
    """

    path: Path
    backend: str
    kind: ModelKind
    patch_px: int | None = None
    gridsize: int | None = None
    notes: tuple[str, ...] = ()


def locate(folder_or_file: Path) -> ModelFile:
    """Find the model that a path means.

    A file is taken by its suffix, and one of PyTorch by its content. In a folder the first of these
    decides: ``model.json``, ``wts.h5.zip``, the newest ``baseline_model.h5`` below, ``*.keras``,
    ``*.h5``, ``saved_model.pb``, ``*.pt2``, ``*.onnx``, ``*.pt``, ``*.ts`` or ``*.torchscript``,
    ``*.pth``, ``*.safetensors``, ``*.ckpt``.

    Parameters
    ----------
    folder_or_file : Path
        What the user named.

    Returns
    -------
    ModelFile
        The model, its backend and its kind.

    Raises
    ------
    ModelError
        If there is no model, or more than one of the deciding sort.
    """
    _require_utf8(folder_or_file)
    if folder_or_file.is_file():
        return _from_file(folder_or_file)
    if not folder_or_file.is_dir():
        raise ModelError(
            f"{folder_or_file} does not exist",
            why="there is neither a file nor a folder of that name",
            do="correct the path of the model",
        )
    for search in SEARCHES:
        found = search(folder_or_file)
        if found is not None:
            return found
    raise ModelError(
        f"no model in {folder_or_file}",
        why=f"looked for {LOOKED_FOR}; the folder holds {_listing(folder_or_file)}",
        do="name the folder or file of a trained model",
    )


def require_trust(model: ModelFile, trusted: bool, arm: str = "ARM") -> None:
    """Refuse a model that is a program, unless the user trusts its maker.

    Parameters
    ----------
    model : ModelFile
        The model as it was found.
    trusted : bool
        Whether the user says so for its arm.
    arm : str
        The arm's name, for the error.

    Raises
    ------
    ModelError
        If it is one and *trusted* is not said; the error names the word for it.
    """
    if model.kind in PROGRAMS and not trusted:
        raise ModelError(
            f"the model {model.path.name} of arm {arm} is a program ({model.kind})",
            why="to load or use it runs whatever its maker wrote into it, with your rights",
            do=f"if you made it or trust its maker, add --trust-model {arm}; Keras files, ONNX "
            "models and state dicts need no trust",
        )


def require_reader(model: ModelFile) -> None:
    """Refuse a file that the backend of ptyrun's own which shall read it does not read.

    Raises
    ------
    ModelError
        If it does not; what another package's backend reads is that package's affair.
    """
    reader = BACKENDS.get(model.kind)
    if model.backend in OWN_BACKENDS and model.backend != reader:
        formats = [each for each in FORMATS if each.backend == model.backend]
        suffixes = [suffix for each in formats for suffix in each.suffixes]
        why = f"it reads {', '.join(suffixes)}" + ", SavedModel folders" * (model.backend == "tf")
        raise ModelError(
            f"the backend {model.backend} does not read {model.path.name}",
            why=why,
            do=f"use backend={reader}" if reader else "save the model in one of these formats",
        )


def _require_utf8(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ModelError(
            f"the path of a model is not UTF-8: {path}",
            why="frameworks open no file whose name holds other bytes",
            do="rename the file or folder, or make a link with another name to it",
        ) from error


def forbidden(path: Path, error: PermissionError) -> ModelError:
    """Say that a model is there, but cannot be read."""
    return ModelError(
        f"{path} cannot be read",
        why=str(error),
        do="give this user permission to read it (`chmod`), or name another model",
    )


def _from_file(path: Path) -> ModelFile:
    _require_whole(path)
    if path.name == "saved_model.pb":
        path, kind = path.parent, ModelKind.SAVED_MODEL
    elif path.name == CARD_NAME:
        return _from_card(path)
    elif path.suffix.lower() in SUFFIXES:
        kind = kind_of(path)
    else:
        raise ModelError(
            f"{path.name} is not a model that ptyrun knows",
            why=f"known are the suffixes {', '.join(SUFFIXES)} and SavedModel folders",
            do=f"name a model file, or describe the model in a {CARD_NAME} beside it",
        )
    return ModelFile(path, BACKENDS[kind], kind)


def _require_whole(path: Path) -> None:
    """Refuse a part of weights that lie in several files, and the list of these."""
    if _SHARD.search(path.name):
        raise ModelError(
            f"{path.name} is a part of weights that are in several files",
            why="a model must be one file: its digest identifies all of its weights",
            do="join them (load each with safetensors.torch.load_file, save all with save_file)",
        )


def _carded(folder: Path) -> ModelFile | None:
    card = folder / CARD_NAME
    return _from_card(card) if card.is_file() else None


@dataclass(frozen=True)
class _Declared(Document):
    """Content of ``model.json``."""

    NAME: ClassVar[str] = CARD_NAME
    SCHEMA: ClassVar[int] = 1
    REMEDY: ClassVar[str] = (
        'write {"schema": 1, "backend": "...", "file": "...", "patch_px": 64, "gridsize": 2}; the '
        "last two may be left out"
    )
    IS_SEALED: ClassVar[bool] = False
    IS_BY_HAND: ClassVar[bool] = True

    backend: str
    file: str
    patch_px: int | None = None
    gridsize: int | None = None

    def check(self) -> None:
        """Refuse sizes that no model has."""
        for size in (self.patch_px, self.gridsize):
            if size is not None and size < 1:
                raise ValueError(f"{size} is not a positive number")

    @classmethod
    def refusal(cls, name: str, error: Exception) -> SchemaError:
        """Say that a file is not a model card."""
        return SchemaError(f"{name} is not a model card", why=why_none(error), do=cls.REMEDY)


def _from_card(card: Path) -> ModelFile:
    try:
        with card.open("rb") as file:
            text = read_bounded(file, _Declared.MAX_BYTES)
        if len(text) > _Declared.MAX_BYTES:
            raise _Declared.refusal(str(card), ValueError("it is longer than any card"))
        declared = _Declared.from_json(text.decode(errors="replace"), str(card))
    except SchemaError as error:
        raise ModelError(*error.args) from error
    name = declared.file
    path = card.parent / name
    if not _lies_beside(path, card):
        raise ModelError(
            f"{card} names {name!r:.80}",
            why="that is not a file or folder beside the card",
            do="correct the field `file`",
        )
    kind = _kind_of(path)
    return ModelFile(path, declared.backend, kind, declared.patch_px, declared.gridsize)


def _lies_beside(path: Path, card: Path) -> bool:
    try:
        return path.resolve().is_relative_to(card.parent.resolve()) and path.exists()
    except (OSError, ValueError, RuntimeError):  # no name that a file can have; links in a circle
        return False


def _kind_of(path: Path) -> ModelKind:
    if (path / "saved_model.pb").is_file():
        return ModelKind.SAVED_MODEL
    return kind_of(path)


def _bundle(folder: Path) -> ModelFile | None:
    path = folder / "wts.h5.zip"
    return _from_file(path) if path.is_file() else None


def _baseline(folder: Path) -> ModelFile | None:
    found = sorted(_below(folder, "baseline_model.h5"), key=_age)
    if not found:
        return None
    newest = found[-1]
    note = f"{newest.relative_to(folder)} is the newest of {len(found)} baseline_model.h5"
    return ModelFile(newest, "tf", ModelKind.KERAS_H5, notes=(note,) if len(found) > 1 else ())


def _below(folder: Path, name: str) -> Iterator[Path]:
    """Find what has a name in a folder and in those in it, however deep."""
    for here, _, names in trees.walk(folder):
        if name in names:
            yield here / name


def _age(path: Path) -> tuple[datetime, str]:
    """When a training run began: upstream writes it into the folder's name."""
    stamp = path.parent.name[:19]
    try:
        return datetime.strptime(stamp, "%m-%d-%Y-%H.%M.%S"), str(path)
    except ValueError:
        return datetime.fromtimestamp(path.stat().st_mtime), str(path)


def _saved_model(folder: Path) -> ModelFile | None:
    path = folder / "saved_model.pb"
    return _from_file(path) if path.is_file() else None


def _only(*suffixes: str) -> Callable[[Path], ModelFile | None]:
    def search(folder: Path) -> ModelFile | None:
        found = sorted(_with_suffix(folder, suffixes))
        for path in found:
            _require_whole(path)
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise ModelError(
                f"{folder} holds more than one model",
                why=f"found {names}",
                do="name the file itself",
            )
        return _from_file(found[0]) if found else None

    return search


def _with_suffix(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_file() and path.suffix.lower() in suffixes and not path.name.startswith("."):
            yield path


def _listing(folder: Path) -> str:
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return (", ".join(names[:8]) + more) or "nothing"


SEARCHES: tuple[Callable[[Path], ModelFile | None], ...] = (
    _carded,
    _bundle,
    _baseline,
    _only(".keras"),
    _only(".h5", ".hdf5"),
    _saved_model,
    _only(".pt2"),
    _only(".onnx"),
    _only(".pt", ".ts", ".torchscript"),
    _only(".pth"),
    _only(".safetensors"),
    _only(".ckpt"),
)
LOOKED_FOR = (
    "model.json, wts.h5.zip, baseline_model.h5 (also in folders below), *.keras, *.h5, "
    "saved_model.pb, *.pt2, *.onnx, *.pt, *.ts, *.torchscript, *.pth, *.safetensors, *.ckpt"
)
