"""The process that `serve` is started as: it makes worker processes, watches them, and holds next to nothing.

It forks before anything is imported. Its first child reads the settings, checks and builds, says here how to go on
(`settled`), and becomes the first worker; if it ends before that, its exit status is the server's. A worker that was
killed is always replaced; the server ends for its workers' sake only if one refuses to serve, or if one fails three
times by itself at its start.

What is imported here stays for months, and so beside the workers: no library, and not even `typing`.
"""

import gc
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable

from aiservice.kit.hardening import harden_process, withhold
from aiservice.kit.refusal import EXIT_STATUS, heed_refusals, was_refused

_SECRETS = ("AISERVICE_MASTER_KEY",)  # no process shows them; each worker is given them
_HAS_SETTLED = signal.SIGUSR1
_ENDINGS = (signal.SIGTERM, signal.SIGINT)
_HEARD = (*_ENDINGS, signal.SIGCHLD, signal.SIGHUP, _HAS_SETTLED)
# Installed beside us, found by libraries that use them where they can, and used by no worker: HTTP clients that the
# portal's socket library has a client of its own for, and what reloads a server whose sources change. 8 MB together.
LEFT_OUT = ("aiohttp", "requests", "watchfiles")
_PLAN_BYTES = 65_536  # what a pipe holds, so that nobody waits to write
_STARTED_SECONDS = 10.0  # whoever lives longer did not fail at its start
_GIVE_UP_AFTER = 3
_FAILED = 1
_BY_SIGNAL = 128  # and the signal's number: how shells say it

Work = Callable[[int, str], object]
"""What a worker does: its number (from 0), and the words of `settled`."""

_pipe: tuple[int, int] | None = None
_announced: mmap.mmap | None = None


def supervise(prepare: Callable[[], object], work: Work) -> int:
    """Serves until it is told to stop; gives the exit status. `prepare`, in the first child, calls `settled`."""
    global _pipe, _announced
    harden_process()
    _pipe, _announced = os.pipe(), mmap.mmap(-1, 1)
    os.set_blocking(_pipe[0], False)
    heed_refusals()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever started us may have ignored it
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    return _Supervisor(prepare, work, _pipe).run()


def settled(workers: int, *, stop_seconds: float, takes_hangups: bool, words: str) -> None:
    """In the first child: all is checked. The supervisor makes the other workers, and later ones, with `words`.

    A worker that is told to stop is killed after `stop_seconds`; SIGHUP is passed on where `takes_hangups`.
    """
    if _pipe is None:
        raise RuntimeError("serve is not supervised: start it as `python -m aiservice serve`")
    plan = f"{workers} {stop_seconds} {int(takes_hangups)} {words}".encode()
    if len(plan) > _PLAN_BYTES:
        raise ValueError("more than a pipe holds")
    os.write(_pipe[1], plan)
    _close(_pipe)
    os.kill(os.getppid(), _HAS_SETTLED)


def was_announced() -> bool:
    """Whether a worker has said that the server is ready: it is said once, whoever dies."""
    return _announced is not None and _announced[0] != 0


def note_announced() -> None:
    """Remembers it, for all processes of this server."""
    if _announced is not None:
        _announced[0] = 1


def leave_out(*names: str) -> None:
    """In a child, before it imports much: an import of these fails from now on, as if they were not installed."""
    for name in names:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # which is how Python is told


class _Worker:
    """A living child. `began` is on the monotonic clock."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.began = time.monotonic()


class _Supervisor:
    def __init__(self, prepare: Callable[[], object], work: Work, pipe: tuple[int, int]) -> None:
        self._prepare = prepare
        self._work = work
        self._pipe = pipe
        self._secrets = {name: value for name in _SECRETS if (value := withhold(name)) is not None}
        self._workers: dict[int, _Worker] = {}  # by pid
        self._failures: dict[int, int] = {}  # by number, one after another
        self._words: str | None = None  # once it is settled
        self._stop_seconds = 5.0
        self._takes_hangups = False

    def run(self) -> int:
        try:
            return self._watch()
        except BaseException:  # no memory to fork, say: better no server than workers that nobody watches
            self._end()
            raise

    def _watch(self) -> int:
        gc.freeze()  # what children share with this process, their collectors need not touch
        self._make(0)
        while True:
            heard = signal.sigwaitinfo(_HEARD).si_signo
            self._settle()
            if heard in _ENDINGS:
                self._end()
                return 0 if self._words is not None else _BY_SIGNAL + heard
            if heard == signal.SIGHUP and self._takes_hangups:
                self._tell(signal.SIGHUP)
            if (status := self._replace()) is not None:
                self._end()
                return status

    def _settle(self) -> None:
        """Takes what the first child has said, once."""
        if self._words is not None:
            return
        try:
            plan = os.read(self._pipe[0], _PLAN_BYTES).decode()
        except BlockingIOError:
            return
        _close(self._pipe)
        workers, stop_seconds, takes_hangups, self._words = plan.split(" ", 3)
        self._stop_seconds, self._takes_hangups = float(stop_seconds), takes_hangups == "1"
        for worker in self._workers.values():
            worker.began = time.monotonic()  # its checks, and a build, were no start
        for number in range(1, int(workers)):
            self._make(number)

    def _replace(self) -> int | None:
        """Makes a new worker for each that has died; an exit status if the server is to end instead."""
        for worker, code in self._dead():
            if self._words is None:
                return code if code >= 0 else _BY_SIGNAL - code
            if was_refused():
                return EXIT_STATUS
            is_failure = code >= 0 and time.monotonic() - worker.began <= _STARTED_SECONDS
            failures = self._failures.get(worker.number, 0) + 1 if is_failure else 0
            self._failures[worker.number] = failures
            if failures == _GIVE_UP_AFTER:
                _say(f"A worker has failed {_GIVE_UP_AFTER} times at its start; the server ends.")
                return _FAILED
            how = f"with status {code}" if code >= 0 else f"by signal {-code}"
            _say(f"Worker {worker.number + 1} ended {how}; another takes its place.")
            self._make(worker.number)
        return None

    def _dead(self) -> list[tuple[_Worker, int]]:
        """The workers that have died since, with their exit status, or the negative of the signal that killed them."""
        dead = []
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)  # as the first process of a container also of others' orphans
            if pid == 0:
                break
            if (worker := self._workers.pop(pid, None)) is not None:
                dead.append((worker, os.waitstatus_to_exitcode(status)))
        return dead

    def _end(self) -> None:
        """Tells the workers to stop, and kills those that do not in time."""
        self._tell(signal.SIGTERM)
        until = time.monotonic() + self._stop_seconds
        while self._workers and (left := until - time.monotonic()) > 0:
            signal.sigtimedwait((signal.SIGCHLD,), left)
            self._dead()
        for pid, worker in self._workers.items():
            _say(f"Worker {worker.number + 1} did not stop within {self._stop_seconds:.0f} s; it is killed.")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _tell(self, number: signal.Signals) -> None:
        for pid in self._workers:  # dead or not: none was waited for, so each pid is still its own
            os.kill(pid, number)

    def _make(self, number: int) -> None:
        """Forks a worker."""
        pid = os.fork()
        if pid:
            self._workers[pid] = _Worker(number)
            return
        status = _FAILED
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
            self._workers.clear()
            os.environ.update(self._secrets)
            leave_out(*LEFT_OUT)
            status = _status_of(self._prepare if self._words is None else lambda: self._work(number, self._words or ""))
        finally:
            os._exit(status)


def _status_of(work: Callable[[], object]) -> int:
    """Does `work` as a whole program would: gives the exit status, and leaves nothing unsaid or undone."""
    status = 0
    try:
        work()
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else _FAILED if ending.code else 0
    except BaseException:  # noqa: BLE001 - the edge of the process: KeyboardInterrupt as well
        sys.excepthook(*sys.exc_info())
        status = _FAILED
    if (threading := sys.modules.get("threading")) is not None:
        threading._shutdown()  # as multiprocessing does for its processes: waits for pools and threads
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _close(pipe: tuple[int, int]) -> None:
    for end in pipe:
        os.close(end)


def _say(message: str) -> None:
    try:
        sys.stderr.write(message + "\n")
        sys.stderr.flush()
    except OSError:
        pass  # whoever read it has gone; the server goes on
