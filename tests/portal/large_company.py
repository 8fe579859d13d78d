"""A large company's installation (`tests/harness/company.py`) that a test serves as a process: 100 000 keys of 2 000
clients, 5 million requests in PostgreSQL or 1 million in SQLite, an admin and a developer of 100 clients."""

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.fixtures import UPSTREAM_KEY, WHOLE_MODEL
from tests.bench.mocks import Mocks
from tests.bench.targets import LOAD_CORE
from tests.harness import Installation, ServerProcess
from tests.harness.databases import PostgresServer
from tests.harness.process import ROOT
from tests.portal.tab import Page, pages, sign_in

ROWS = {"sqlite": 1_000_000, "postgres": 5_000_000}
ADMIN, DEVELOPER, PASSWORD = "admin@example.test", "p7@example.org", "a long enough password"
_OWN_CLIENT = "cli_1007"
_SEED_SECONDS = 1_800
# A cluster of this size is given more than Debian's 128 MB, and is not asked to write everything out meanwhile.
_POSTGRES = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}


@dataclass(slots=True)
class LargeCompany:
    """The installation, not served yet; `key` is a client's that may use `WHOLE_MODEL`, of a fixed upstream."""

    base: str
    installation: Installation
    mocks: Mocks
    postgres: PostgresServer | None
    key: str
    connection: str
    request: str

    @property
    def pages(self) -> dict[str, Page]:
        """Every page for signed-in people by its route, at an address where there is something to see."""
        return pages({"request_id": self.request, "client": _OWN_CLIENT, "connection": self.connection})

    def database_cpu_us(self) -> int:
        """What PostgreSQL has used; SQLite's part is the server's own."""
        return self.postgres.cpu_us() if self.postgres is not None else 0

    @staticmethod
    def cookies(server: ServerProcess) -> dict[str, str]:
        """The Cookie header of a session of each of the two."""
        return {
            "developer": sign_in(server, DEVELOPER, PASSWORD),
            "admin": sign_in(server, ADMIN, PASSWORD),
        }


class Others:
    """How much of the machine others have from its making on: all but what `own_us` says, and this process."""

    def __init__(self, own_us: Callable[[], int]) -> None:
        self._own_us = own_us
        self._began = (time.monotonic(), own_us(), time.process_time(), _busy_us())

    def percent(self) -> float:
        at, own_us, here, busy_us = self._began
        others_us = _busy_us() - busy_us - (self._own_us() - own_us) - (time.process_time() - here) * 1e6
        return round(max(0.0, others_us / (time.monotonic() - at) / (os.cpu_count() or 1) / 1e4), 1)


def _busy_us() -> int:
    """What all cores have not been idle (proc(5): the first line of /proc/stat, its first eight fields)."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) * 1_000_000 // os.sysconf("SC_CLK_TCK")


@contextmanager
def large_company(base: str, folder: Path) -> Iterator[LargeCompany]:
    """Seeds one and sets it up: as many provider connections as the seeded month names, and one for load."""
    with ExitStack() as stack:
        postgres = None
        extra = {"AISERVICE_LOG_LEVEL": "INFO"}
        if base == "postgres":
            postgres = stack.enter_context(PostgresServer(folder, is_durable=False, options=_POSTGRES))
            master = base64.b64encode(os.urandom(32)).decode()
            extra |= {"AISERVICE_DATABASE_URL": postgres.url, "AISERVICE_MASTER_KEY": master}
        installation = Installation(folder, extra)
        began = time.monotonic()
        seed(installation, ROWS[base])
        print(f"seeded {ROWS[base]} rows in {time.monotonic() - began:.0f} s")
        mocks = stack.enter_context(Mocks(folder / "mocks", core=LOAD_CORE))
        yield set_up(base, installation, mocks, postgres)


def seed(installation: Installation, rows: int) -> None:
    """Fills the installation's database, in a process of its own."""
    command = [sys.executable, "-m", "tests.harness.company", str(rows)]
    subprocess.run(command, check=True, env=installation.env, cwd=ROOT, timeout=_SEED_SECONDS, capture_output=True)


def set_up(base: str, installation: Installation, mocks: Mocks, postgres: PostgresServer | None) -> LargeCompany:
    with installation.one_console():
        installation.add_admin(ADMIN, PASSWORD)
        installation.command("user", "reset-password", DEVELOPER, stdin=PASSWORD + "\n")
        for n in range(5):
            models = ",".join(f"model-{m}" for m in range(n, 12, 5))
            installation.add_mock(mocks.whole_url, "--no-test", name=f"provider-{n}", key=UPSTREAM_KEY, models=models)
        installation.add_mock(mocks.whole_url, "--no-test", name="whole", key=UPSTREAM_KEY, models=WHOLE_MODEL)
        key = installation.add_key("bench")["key"]
    (connection,) = installation.query("SELECT id FROM provider_connection WHERE name = 'provider-2'")
    own = "SELECT request_id FROM ledger_entry WHERE client_id = ? ORDER BY started_us DESC LIMIT 1"
    (request,) = installation.query(own, _OWN_CLIENT)
    return LargeCompany(base, installation, mocks, postgres, key, connection["id"], request["request_id"])
