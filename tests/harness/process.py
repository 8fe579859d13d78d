"""A child process with its whole tree: started, watched, measured and ended without touching any other process."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
_TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


class DidNotStart(Exception):
    """A process ended or stayed silent before it was ready; the message carries the end of its log."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_true: Callable[[], bool], *, seconds: float, every: float = 0.02) -> float:
    """Waits for a condition; gives the seconds that took.

    Raises:
        TimeoutError: the condition did not come true in time.
    """
    started = time.monotonic()
    while not is_true():
        if time.monotonic() - started > seconds:
            raise TimeoutError(f"not true within {seconds} s: {is_true}")
        time.sleep(every)
    return time.monotonic() - started


class Child:
    """A process in a session of its own, logging to a file; leaving the `with` block kills the whole tree."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        core: int | None = None,
    ) -> None:
        self.command = [str(part) for part in command]
        if core is not None:
            self.command = ["taskset", "-c", str(core), *self.command]
        self.log = log
        self._env = dict(os.environ if env is None else env)
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.kill()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.started_at = time.monotonic()
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_ready(self, is_ready: Callable[[], bool], *, seconds: float) -> float:
        """Waits until `is_ready`; gives the seconds since the start.

        Raises:
            DidNotStart: it ended, or was not ready in time.
        """
        with suppress(TimeoutError):
            wait_until(lambda: not self.is_running or is_ready(), seconds=seconds)
            if self.is_running:
                return time.monotonic() - self.started_at
        state = "not ready in time" if self.is_running else f"ended with {self.wait()}"
        raise DidNotStart(f"{' '.join(self.command)}: {state}\n{self.log_text()[-4000:]}")

    def tree(self) -> list[int]:
        """This process and all its descendants, itself first."""
        return list(_descend(self.pid)) if self.is_running else []

    def signal(self, number: int) -> None:
        """Sends a signal to the process itself, as a service supervisor does."""
        os.kill(self.pid, number)

    def terminate(self, seconds: float = 40.0) -> float:
        """SIGTERM, then waits for the end; gives the seconds it took."""
        started = time.monotonic()
        self.signal(signal.SIGTERM)
        self.wait(seconds)
        return time.monotonic() - started

    def wait(self, seconds: float = 40.0) -> int:
        """The exit status.

        Raises:
            subprocess.TimeoutExpired: it is still running.
        """
        assert self._process is not None
        return self._process.wait(seconds)

    def kill(self) -> None:
        """`kill -9` of the whole tree at one moment: nothing in it gets to say anything."""
        if self._process is None:
            return
        pids = self.tree()
        # Stopped first, so that no supervisor in the tree replaces a child while the others are killed.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        wait_until(lambda: not any(_is_alive(pid) for pid in pids), seconds=10)

    def pss_mb(self) -> float:
        """Proportional set size of the tree in MB (10⁶ bytes): shared pages are counted once."""
        return sum(_pss_kib(pid) for pid in self.tree()) * 1024 / 1e6

    def cpu_us(self) -> int:
        """User and system time of the tree in microseconds, children that it has reaped included."""
        return sum(self.cpu_us_by_process().values())

    def cpu_us_by_process(self) -> dict[int, int]:
        """The same for each process of the tree, by pid."""
        return {pid: _cpu_ticks(pid) * _TICK_US for pid in self.tree()}


def _descend(pid: int) -> Iterator[int]:
    yield pid
    for task in _listed(Path(f"/proc/{pid}/task")):
        with suppress(OSError):
            for child in (task / "children").read_text().split():
                yield from _descend(int(child))


def _listed(folder: Path) -> list[Path]:
    with suppress(OSError):
        return list(folder.iterdir())
    return []


def _is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    return False


def _pss_kib(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _cpu_ticks(pid: int) -> int:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime: proc(5)
    return 0
