"""What was published of a run or study? The content of ``published.json``, which comes last."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self

from ptyrun.errors import DamageError, InputError, SchemaError
from ptyrun.host import durable
from ptyrun.host.bucket import Bucket
from ptyrun.host.documents import Document


@dataclass(frozen=True)
class PublishedFile:
    """One object: how many bytes, and their SHA-256."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Published(Document):
    """What lies below a prefix; it is there once all the rest is.

    Attributes
    ----------
    manifest_digest : str
        Of the run; empty for a study, whose runs have such a document each.
    status : str
        What ``ptyrun status --json`` says of the run, or ``ptyrun study status --json`` of the
        study.
    files : mapping
        Every object by its name below the prefix.
    """

    NAME: ClassVar[str] = "published.json"
    SCHEMA: ClassVar[int] = 1
    REMEDY: ClassVar[str] = "publish the run again with --overwrite"
    MAX_BYTES: ClassVar[int] = 2**28  # a line for each of 10^6 chunks

    manifest_digest: str
    status: str
    files: Mapping[str, PublishedFile]

    def check(self) -> None:
        """Refuse names that lead out of the folder, and sizes below nothing."""
        for name, file in self.files.items():
            parts = PurePosixPath(name).parts
            if not parts or name.startswith("/") or ".." in parts or file.size < 0:
                raise ValueError(f"{name!r:.200} is not a name of an object")

    @classmethod
    def read(cls, bucket: Bucket) -> Self:
        """Read what says that a run or study was published whole.

        Raises
        ------
        InputError
            If nothing was published there, or not to its end.
        NewerError, SchemaError
            If a newer ptyrun wrote it, or it is not as it was written.
        """
        name = f"{bucket.url}/{cls.NAME}"
        try:
            text = bucket.get(cls.NAME, cls.MAX_BYTES).decode()
        except UnicodeDecodeError as error:
            raise SchemaError(f"{name} is damaged", why=str(error), do=cls.REMEDY) from error
        return cls.from_json(text, name)

    @property
    def is_study(self) -> bool:
        """Whether a study was published, not a run."""
        return not self.manifest_digest

    def fetch(self, bucket: Bucket, name: str) -> bytes:
        """Read an object, and see that it is what was published.

        Raises
        ------
        InputError
            If no such object was published.
        DamageError
            If it is another one now.
        """
        if name not in self.files:
            raise InputError(
                f"{bucket.url} has no {name}",
                why="it was not there when the run was published",
                do="finish the run, and publish it again with --overwrite",
            )
        content = bucket.get(name, self.files[name].size)
        if hashlib.sha256(content).hexdigest() != self.files[name].sha256:
            raise DamageError(
                f"{bucket.url}/{name} is damaged",
                why="it is not what was published",
                do="publish the run again with --overwrite",
            )
        return content

    def fetch_all(self, bucket: Bucket, names: Mapping[str, str], folder: Path) -> None:
        """Read objects into files of *folder*, called as *names* says; raises as `fetch`."""
        for name, place in names.items():
            path = folder / place
            durable.make_folder(path.parent)
            durable.write_atomic(path, self.fetch(bucket, name))

    def below(self, folder: str) -> list[str]:
        """Names of the objects in a folder."""
        return [name for name in sorted(self.files) if name.startswith(f"{folder}/")]
