"""The peers' environments below build/peers/, made from pinned requirements."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from cli import ROOT

REQUIREMENTS = Path(__file__).parent / "requirements"
FOLDER = ROOT / "build" / "peers"

# What a peer cannot do here, although it can be installed.
FLAWS = {
    "rclip: text, picture, photos": "its encoder is a CLIP of its own, which it downloads",
    "autofaiss, faiss, hnswlib, usearch, lancedb: text, picture": "they have no encoder",
}


@dataclass(frozen=True)
class Environment:
    """`sides`: modules of benchmarks.peers.sides that run in it."""

    name: str
    sides: tuple[str, ...]

    @property
    def requirements(self) -> Path:
        return REQUIREMENTS / f"{self.name}.txt"

    @property
    def python(self) -> Path:
        return FOLDER / self.name / "bin" / "python"

    def install(self) -> str | None:
        """Make it, unless it has these requirements. Returns why it cannot be made."""
        done, wanted = FOLDER / self.name / "done", self.requirements.read_text()
        if done.exists() and done.read_text() == wanted:
            return None
        FOLDER.mkdir(parents=True, exist_ok=True)
        venv = [sys.executable, "-m", "venv", "--clear", str(FOLDER / self.name)]
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in (venv, [*pip, "-r", str(self.requirements)]):
            result = subprocess.run(command, text=True, capture_output=True)
            if result.returncode:
                said = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
                return f"pip cannot install it: {(said or ['no reason'])[-1]}"
        done.write_text(wanted)
        return None

    def versions(self) -> list[str]:
        """Of the pinned packages, as pip finds them."""
        wanted = {line.partition("==")[0] for line in pinned(self.requirements)}
        command = [str(self.python), "-m", "pip", "freeze", "--disable-pip-version-check"]
        found = subprocess.run(command, text=True, capture_output=True, check=True).stdout
        return [line for line in found.splitlines() if line.partition("==")[0] in wanted]


ALL = (
    Environment("faiss", ("flat",)),
    Environment("hnswlib", ("hnsw",)),
    Environment("usearch", ("unum",)),
    Environment("lancedb", ("lance",)),
    Environment("autofaiss", ("auto",)),
    Environment("rclip", ("rclips",)),
    Environment("clip-retrieval", ("clipr",)),
    Environment("fastembed", ("fastembeds", "fastembeds_fp32")),
    Environment("sentence-transformers", ("sbert",)),
)


def environments(only: Collection[str] | None) -> list[Environment]:
    """All, or those with these names. Raises SystemExit for a name that does not exist."""
    unknown = set(only or ()) - {one.name for one in ALL}
    if unknown:
        known = ", ".join(one.name for one in ALL)
        raise SystemExit(f"no peer is named {', '.join(sorted(unknown))}; there are {known}")
    return [one for one in ALL if not only or one.name in only]


def pinned(requirements: Path) -> list[str]:
    """The lines with packages."""
    lines = requirements.read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]
