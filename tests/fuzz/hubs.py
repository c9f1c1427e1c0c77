"""How are the documents of a study spoilt?"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz import scans
from tests.fuzz.calling import ptyrun
from tests.fuzz.kinds import Kind, Said
from tests.fuzz.mutation import bytes_of, json_of, text_of, with_depths
from tests.fuzz.runs import sealed
from tests.study import upstream_hubs

CONFIG = """\
hub = "{hub}"
base_npz = "{hub}/scan.npz"
name = "study"
dose = [1000.0]
view = ["dense"]
splits = ["train", "test"]
n_images = 40
seed = 3
n_groups = 8
neighbor_count = 5
split-fraction = 0.5

[[stage]]
name = "after"
command = ["sh", "-c", "cp {{input}} {{output}}"]
inputs = ["data/phase_c/dose_1000/patched_train.npz"]
outputs = ["out/after.npz"]
parameters = {{ depth = 1 }}
"""


class OfStudy(Kind):
    """A study.toml, the hub's study.json and the records of its stages."""

    NAME = "study"
    WEIGHT = 4

    @classmethod
    def make(cls, samples: Path) -> None:
        folder = samples / cls.NAME
        folder.mkdir(parents=True, exist_ok=True)
        scans.write_inputs(samples / "inputs")
        (folder / "scan.npz").write_bytes((samples / "inputs/scan.npz").read_bytes())
        words = ["--dose=1000", "--view=dense", "--n-images=40", "--n-groups=8"]
        words += [f"--hub={folder}", f"--base-npz={folder / 'scan.npz'}", "--neighbor-count=5"]
        done = ptyrun("study", "run", *words)
        assert done.code == 0, done.stderr

    def is_good(self, said: Said) -> bool:
        return said.code in (0, 3, 75)

    def renew(self) -> None:
        super().renew()
        self.config.write_text(CONFIG.format(hub=self.place))

    @property
    def config(self) -> Path:
        return self.place / "study.toml"

    def spoil(self, rng: random.Random) -> None:
        documents = sorted([*self.place.rglob("*.json")])
        match rng.randrange(4):
            case 0:
                self.config.write_bytes(bytes_of(rng, self.config.read_bytes()))
            case 1:
                self.config.write_text(text_of(rng, self.config.read_text()))
            case _:
                path = rng.choice(documents)
                if rng.random() < 0.1:
                    path.write_bytes(bytes_of(rng, path.read_bytes()))
                    return
                document = json.loads(path.read_text())
                is_sealed = isinstance(document, dict) and "sha256" in document
                changed = json_of(rng, document)
                text = sealed(changed) if is_sealed else with_depths(json.dumps(changed))
                path.write_text(text, errors="replace")

    def read(self, rng: random.Random) -> Iterator[Said]:
        where = f"--hub={self.place}"
        yield ptyrun("study", "status", where, *rng.choice(((), ("--json",))))
        which = rng.choice(("plan", "verify", "report", "plan"))
        yield ptyrun("study", which, where)


class OfUpstreamsHub(Kind):
    """Tables, logs and summaries of comparisons, as upstream leaves them."""

    NAME = "summaries"
    WEIGHT = 3

    @classmethod
    def make(cls, samples: Path) -> None:
        folder = samples / cls.NAME
        if not folder.exists():
            upstream_hubs.write_hub(folder)

    def is_good(self, said: Said) -> bool:
        return said.code in (0, 3)

    def spoil(self, rng: random.Random) -> None:
        files = sorted(path for path in self.place.rglob("*") if path.is_file())
        path = rng.choice(files)
        data = path.read_bytes()
        try:
            document = json.loads(data)
        except ValueError:
            path.write_bytes(bytes_of(rng, data))
        else:
            if rng.random() < 0.15:
                path.write_bytes(bytes_of(rng, data))
            else:
                path.write_text(with_depths(json.dumps(json_of(rng, document))))

    def read(self, rng: random.Random) -> Iterator[Said]:
        yield ptyrun("study", rng.choice(("verify", "summarize")), f"--hub={self.place}")


HUBS: tuple[type[Kind], ...] = (OfStudy, OfUpstreamsHub)
