"""What a process of `serve` becomes when all is checked: one Granian worker, told by words that the first wrote.

Granian's own supervisor is left out: it and what it loads would stay beside the workers, 29 MB for the server's life.
"""

import gc
import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server
from granian.server.mp import WorkerProcess

from aiservice.commands import portal_build, ports
from aiservice.commands.renewal import Files, TlsWorker
from aiservice.commands.supervisor import leave_out, note_announced, was_announced
from aiservice.kit.process import share_arenas
from aiservice.settings import load_settings

_TARGET = "aiservice.aiservice:app"
_REDIS_STATES = "reflex.istate.manager.redis"
_READY_SECONDS = 120.0
# A request's head has to be there by then, and so has a TLS handshake; an idle connection is closed after it too.
_HEAD_MS = 10_000


@dataclass(slots=True, frozen=True)
class Serving:
    """How this server serves. `node` is what its workers have in common, and no other server's."""

    host: str
    port: int
    workers: int
    cert: str | None
    key: str | None
    node: str
    as_json: bool

    @property
    def url(self) -> str:
        return f"{'https' if self.cert else 'http'}://{ports.shown_host(self.host)}:{self.port}"

    def words(self) -> str:
        """For `work`, in any worker to come."""
        return json.dumps(asdict(self))


def work(number: int, words: str) -> None:
    """Serves until this process is told to stop. `number` is 0 for the first of the server's workers."""
    serving = Serving(**json.loads(words))
    # The terminal going away is no reason to end; whoever renews a certificate listens to this signal later.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    prepare_environment(serving.url, serving.node)
    spare_memory(with_redis=load_settings().redis_url is not None)
    if number == 0 and not was_announced():
        threading.Thread(target=_announce, args=(serving,), name="announce", daemon=True).start()
    server = _Server(number, serving)
    if serving.cert is None or serving.key is None:
        server.serve()
    else:
        files = Files(Path(serving.cert), Path(serving.key))
        process: Any = WorkerProcess
        server.serve(process.wrap_target(TlsWorker((serving.host, serving.port), files).serve))


def prepare_environment(url: str, node: str) -> None:
    """What Reflex and our workers read at import; the names with underscores are Reflex's own."""
    os.environ["__REFLEX_SKIP_COMPILE"] = "true"
    os.environ["__REFLEX_MOUNT_FRONTEND_COMPILED_APP"] = "true"
    os.environ["REFLEX_ENV_MODE"] = "prod"
    # Where this server listens, for links that are printed before any request has come.
    os.environ["__AISERVICE_LISTENING"] = url
    os.environ["__AISERVICE_NODE"] = node
    if str(portal_build.ROOT) not in sys.path:
        sys.path.insert(0, str(portal_build.ROOT))


def spare_memory(*, with_redis: bool) -> None:
    """Nobody looks for garbage among what is there by now, and threads to come share what they allocate from.

    Redis' client is left out where there is no Redis (5 MB). The portal's socket library does without what it does not
    find; Reflex asks for it by its own manager of states, in whose place ours is (`portal/session/states.py`).
    """
    if not with_redis:
        leave_out("redis")
        managers = ModuleType(_REDIS_STATES)
        vars(managers).update(StateManagerRedis=type("StateManagerRedis", (), {}), enable_keyspace_notifications=None)
        sys.modules[_REDIS_STATES] = managers
    share_arenas()
    gc.collect()
    gc.freeze()


def _announce(serving: Serving) -> None:
    """Says once, when the first worker is ready, where the server is."""
    asked = (ports.asked_host(serving.host), serving.port)
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end:
        status = ports.readiness(*asked, is_tls=serving.cert is not None)
        if status == 200:
            line = json.dumps({"url": serving.url, "ready": True}) if serving.as_json else f"Ready: {serving.url}"
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
            note_announced()
            return
        time.sleep(0.05 if status is None else 0.25)
    sys.stderr.write(f"{serving.url}/readyz has not answered 200 for {_READY_SECONDS:.0f} s; the log says why.\n")


class _Server(Server):  # type: ignore[misc, valid-type]
    """Granian, whose worker is this process: ours has been forked for it already."""

    def __init__(self, number: int, serving: Serving) -> None:
        super().__init__(
            _TARGET,
            factory=True,
            address=serving.host,
            port=serving.port,
            interface=Interfaces.ASGI,
            loop=Loops.uvloop,
            workers=serving.workers,
            log_level=LogLevels.warning,
            http=HTTPModes.http1,  # where it waits to see which version comes, it waits for ever
            http1_settings=HTTP1Settings(header_read_timeout=_HEAD_MS),
            ssl_cert=Path(serving.cert) if serving.cert else None,
            ssl_key=Path(serving.key) if serving.key else None,
            ssl_protocol_min=SSLProtocols.tls12,  # of 1.2 rustls knows the suites with forward secrecy alone
        )
        self._number = number
        if number:
            self.workers = 1  # that there are more than cores, the first of them says

    def _serve(self, spawn_target: Any, target_loader: Any) -> None:
        """Granian's `serve` ends with this: its own would fork, and watch."""

        def loaded() -> Any:
            gc.disable()  # what modules make stays: looking through it for garbage was a tenth of a start
            try:
                return target_loader()
            finally:
                gc.enable()

        self._init_shared_socket()
        self._spawn_worker(self._number, spawn_target, loaded).inner.run()
