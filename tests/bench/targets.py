"""What is measured: each target as processes on core 0, with the address and the keys to ask it with."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.fixtures import CLIENT_KEY, STREAM_MODEL, UPSTREAM_KEY, WHOLE_MODEL
from tests.bench.many_keys import seed_keys
from tests.bench.mocks import Mocks
from tests.harness.installation import Installation
from tests.harness.mock import is_answering
from tests.harness.process import ROOT, Child, free_port, wait_until

TARGET_CORE = 0
LOAD_CORE = 1
_SETTLE_SECONDS = 2.0


@dataclass(slots=True)
class Target:
    """A started target. `installation` is there where a ledger can be counted."""

    name: str
    processes: list[Child]
    whole_port: int
    stream_port: int
    keys: list[str] = field(default_factory=lambda: [CLIENT_KEY])
    whole_model: str = WHOLE_MODEL
    stream_model: str = STREAM_MODEL
    ready_seconds: float | None = None
    idle_pss_mb: float = 0.0
    installation: Installation | None = None
    turn: int = 0  # the key whose turn is next
    cache_control: str = ""  # what its requests say in that header, if anything
    per_second: float = 0.0  # how many requests it is offered; 0: as many as it takes

    def cpu_us(self) -> int:
        return sum(process.cpu_us() for process in self.processes)

    def pss_mb(self) -> float:
        return sum(process.pss_mb() for process in self.processes)

    def settle(self) -> None:
        """Lets a fresh start come to rest, then notes what it needs idle."""
        time.sleep(_SETTLE_SECONDS)
        self.idle_pss_mb = self.pss_mb()


@contextmanager
def direct(folder: Path) -> Iterator[Target]:
    """The mocks themselves on the target's core: what a request costs with nothing between."""
    with Mocks(folder, core=TARGET_CORE) as mocks:
        target = Target("direct", mocks.processes, mocks.whole_port, mocks.stream_port)
        target.settle()
        yield target


@contextmanager
def forwarder(folder: Path, mocks: Mocks) -> Iterator[Target]:
    """Bare Granian and pyreqwest."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--loop", "uvloop", "--workers", "1"),
        *("--no-ws", "--host", "127.0.0.1", "--port", str(port), "tests.bench.forwarder:app"),
    ]
    env = {
        **Installation(folder).env,
        "BENCH_WHOLE_URL": f"{mocks.whole_url}/chat/completions",
        "BENCH_STREAM_URL": f"{mocks.stream_url}/chat/completions",
    }
    with Child(command, log=folder / "forwarder.log", env=env, core=TARGET_CORE) as child:
        ready = child.wait_ready(lambda: is_answering(f"http://127.0.0.1:{port}/readyz"), seconds=20)
        target = Target("forwarder", [child], port, port, ready_seconds=ready)
        target.settle()
        yield target


@contextmanager
def gateway(
    folder: Path,
    mocks: Mocks,
    *,
    keys: int = 1,
    name: str = "gateway",
    extra: Mapping[str, str] | None = None,
    core: int | None = TARGET_CORE,
    code: Path = ROOT,
    prepare: Callable[[Installation], None] | None = None,
) -> Iterator[Target]:
    """This product: `serve` over SQLite, authentication, ledger and metrics on; one worker, unless `extra` settings say
    otherwise. `code` is the checkout it runs from; `prepare` sets up more before the start."""
    folder.mkdir(parents=True, exist_ok=True)
    installation = Installation(folder, {"AISERVICE_LOG_LEVEL": "INFO", **(extra or {})}, code=code)
    key = installation.add_key("bench")["key"]
    installation.add_mock(mocks.whole_url, name="whole", key=UPSTREAM_KEY, models=WHOLE_MODEL)
    installation.add_mock(mocks.stream_url, name="streamed", key=UPSTREAM_KEY, models=STREAM_MODEL)
    texts = [key]
    if keys > 1:
        texts += seed_keys(installation, "bench", keys - 1)
    if prepare is not None:
        prepare(installation)
    with installation.server(core=core) as server:
        name = name if keys == 1 else f"{name}, {keys} keys"
        target = Target(name, [server], server.port, server.port, texts, installation=installation)
        target.ready_seconds = server.ready_seconds
        target.settle()
        yield target


def count_ledger(installation: Installation, at_least: int, seconds: float = 30.0) -> int:
    """Ledger rows once `at_least` are there, or after `seconds`: the flusher is allowed its moment."""
    rows = 0

    def has_enough() -> bool:
        nonlocal rows
        rows = int(installation.query("SELECT count(*) AS n FROM ledger_entry")[0]["n"])
        return rows >= at_least

    try:
        wait_until(has_enough, seconds=seconds, every=0.2)
    except TimeoutError:
        return rows
    return rows
