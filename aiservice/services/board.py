"""What each worker of this server says of itself, where the others can read it: a scrape or a probe reaches one worker
and is answered for all.

Files in the data folder, written once a second by a thread that a blocked loop does not hold up. A worker's lock tells
whether it lives; what a dead one had counted still counts. Fails open: a file that cannot be read is left out.
"""

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from aiservice.kit.loop_watch import LoopWatch

STALLED_SECONDS = 10.0

log = logging.getLogger(__name__)

Figures = dict[str, Any]


@dataclass(slots=True, frozen=True)
class Said:
    """The figures of one worker. A dead one's gauges say nothing any more, its counters do."""

    figures: Figures
    is_alive: bool
    is_stalled: bool


class Board:
    """This worker's place on the board of its server."""

    def __init__(self, folder: Path, node_id: str, worker_id: str) -> None:
        self._root = folder
        self._folder = folder / node_id
        self._worker_id = worker_id
        self._sources: dict[str, Callable[[], object]] = {}
        self._lock: int | None = None
        self.watch = LoopWatch(also=self._write)

    def open(self) -> None:
        """Takes the place; `watch` writes. Boards of servers that are no more are cleared away."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self._path("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        for folder in self._root.iterdir():
            if folder != self._folder and not any(_is_locked(path) for path in folder.glob("*.lock")):
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Writes for the last time; the counters stay for the others."""
        self.watch.stop()
        self._write()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def show(self, name: str, source: Callable[[], object]) -> None:
        """Adds what `source` gives (anything JSON holds) to this worker's figures. Called in another thread."""
        self._sources[name] = source

    def everybody(self) -> list[Said]:
        """This worker's figures as they are now, then the other workers' as they were a second ago."""
        own = Said(self._figures(), True, False)
        return [own, *(said for path in self._others() if (said := _read(path)) is not None)]

    def everywhere(self) -> list[Figures]:
        """The figures of every living worker of every server over this data folder, for whoever may be none of them."""
        others = [path for path in self._root.glob("*/*.json") if path.stem != self._worker_id]
        said = [_read(path) for path in others]
        return [self._figures(), *(one.figures for one in said if one is not None and one.is_alive)]

    @property
    def is_any_stalled(self) -> bool:
        """Whether a living worker of this server has done nothing for 10 seconds."""
        return any(said.is_alive and said.is_stalled for path in self._others() if (said := _read(path)) is not None)

    def _others(self) -> list[Path]:
        return [path for path in self._folder.glob("*.json") if path.stem != self._worker_id]

    def _figures(self) -> Figures:
        return {name: source() for name, source in self._sources.items()}

    def _write(self) -> None:
        try:
            figures = {**self._figures(), "stalled_seconds": self.watch.stalled_seconds}
            draft = self._path("draft")
            draft.write_bytes(orjson.dumps(figures))
            draft.replace(self._path("json"))
        except (OSError, RuntimeError) as error:  # RuntimeError: a dictionary that has just grown
            log.debug("The figures of this worker were not written (%s).", type(error).__name__)

    def _path(self, suffix: str) -> Path:
        return self._folder / f"{self._worker_id}.{suffix}"


def _read(path: Path) -> Said | None:
    try:
        figures: Figures = orjson.loads(path.read_bytes())
        age = time.time() - path.stat().st_mtime
    except (OSError, ValueError):
        return None
    is_stalled = max(age, figures.get("stalled_seconds", 0.0)) > STALLED_SECONDS
    return Said(figures, _is_locked(path.with_suffix(".lock")), is_stalled)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
