"""Figures that a promise rests on: printed always, and kept in tests/evidence/ with seed and commit under `--long`."""

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.harness.process import ROOT


@dataclass(slots=True, frozen=True)
class Evidence:
    """Where one test notes its figures. `folder` is None in the default tier, which leaves the tree as it was."""

    name: str
    seed: int
    folder: Path | None

    def note(self, **figures: object) -> None:
        """Prints the figures, and writes them to `<name>.json`, replacing an older run's."""
        print(f"{self.name}: {json.dumps(figures, default=str)}")
        if self.folder is None:
            return
        self.folder.mkdir(exist_ok=True)
        written = {
            "test": self.name,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "seed": self.seed,
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "figures": figures,
        }
        file_name = self.name.replace("[", "-").replace("]", "")
        (self.folder / f"{file_name}.json").write_text(json.dumps(written, indent=1, default=str) + "\n")


def commit() -> str:
    """The commit that was tested, marked where the tree had changes beside it."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
