"""`serve`: the production server, in this process, without compiling anything that is compiled already."""

import gc
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server
from granian.server.mp import WorkerProcess

from aiservice.commands import portal_build, ports
from aiservice.commands.console import JsonFlag, fail, say, settings_or_exit, usage_error
from aiservice.commands.renewal import Files, TlsWorker
from aiservice.kit.ids import new_id
from aiservice.kit.process import share_arenas
from aiservice.kit.refusal import heed_refusals, was_refused
from aiservice.settings import PREFIX, Settings

_TARGET = "aiservice.aiservice:app"
# A stopping worker lets streams run for the drain (30 s by default) and then settles; after this it is killed.
_AFTER_DRAIN_SECONDS = 4.0
_READY_SECONDS = 120.0
_NOT_FOR_WORKERS = ("aiohttp", "requests")
_STARTED_SECONDS = 10.0  # whoever lives longer did not fail at its start
_GIVE_UP_AFTER = 3
# A request's head has to be there by then, and so has a TLS handshake; an idle connection is closed after it too.
_HEAD_MS = 10_000


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = ports.DEFAULT_HOST,
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = ports.DEFAULT_PORT,
    workers: Annotated[int, typer.Option("--workers", envvar="GRANIAN_WORKERS", min=1, max=64)] = 1,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="Certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Its private key (PEM).")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve portal and API on one port; builds the portal first when its sources have changed."""
    settings = settings_or_exit(as_json=as_json)
    files = _tls(settings, tls_cert, tls_key)
    if workers > 1 and settings.redis_url is None:
        usage_error(
            f"{workers} workers need Redis, by which they tell each other what changes. Set {PREFIX}REDIS_URL, or "
            "serve with one worker."
        )
    if Path.cwd() != portal_build.ROOT:
        usage_error(f"Run this in the project's folder: cd {portal_build.ROOT}")
    if (obstacle := ports.obstacle(host, port)) is not None:
        fail(f"{obstacle} Choose another: --host, --port.", code="cannot_listen", as_json=as_json)
    _build_portal(settings, as_json=as_json)
    url = f"{'https' if files else 'http'}://{ports.shown_host(host)}:{port}"
    _prepare_environment(url)
    server = _server(settings, (host, port), workers, files)
    server.announce = _Announcement(url, ports.asked_host(host), port, is_tls=files is not None, as_json=as_json)
    heed_refusals()
    _spare_the_workers()
    if files is None:
        server.serve()
    else:
        worker: Any = WorkerProcess
        server.serve(worker.wrap_target(TlsWorker((host, port), files).serve))


def _tls(settings: Settings, cert: Path | None, key: Path | None) -> Files | None:
    if (cert is None) != (key is None):
        usage_error("--tls-cert and --tls-key belong together: give both or neither.")
    cert, key = cert or settings.tls_cert, key or settings.tls_key
    for path in (cert, key):
        if path is not None and not path.is_file():
            usage_error(f"{path} is not a file.")
    if cert is None or key is None:
        return None
    files = Files(cert, key)
    if (obstacle := files.obstacle()) is not None:
        usage_error(obstacle)
    return files


def _build_portal(settings: Settings, *, as_json: bool) -> None:
    if portal_build.is_current(settings.public_url):
        return
    say("Building the portal (its sources have changed since the last build); this takes about a minute…")
    began = time.monotonic()
    try:
        portal_build.build(settings.public_url)
    except portal_build.BuildFailed as error:
        fail(f"The portal could not be built.\n{error}", code="build_failed", as_json=as_json)
    say(f"Built in {time.monotonic() - began:.0f} s.")


def _prepare_environment(url: str) -> None:
    """What Reflex and our workers read at import; the names with underscores are Reflex's own."""
    os.environ["__REFLEX_SKIP_COMPILE"] = "true"
    os.environ["__REFLEX_MOUNT_FRONTEND_COMPILED_APP"] = "true"
    os.environ["REFLEX_ENV_MODE"] = "prod"
    # Where this server listens, for links that are printed before any request has come.
    os.environ["__AISERVICE_LISTENING"] = url
    # What our workers have in common, and no other server's.
    os.environ["__AISERVICE_NODE"] = new_id("nod")
    if str(portal_build.ROOT) not in sys.path:
        sys.path.insert(0, str(portal_build.ROOT))


def _spare_the_workers() -> None:
    """What a worker inherits by the fork costs it nothing while neither writes to it: so its collector never looks
    there. HTTP clients that happen to be installed are not taken along: the portal's socket library loads whichever it
    finds, for a client of its own that nobody uses here (7 MB)."""
    for name in _NOT_FOR_WORKERS:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # an import of it fails, as if it were not there
    share_arenas()
    gc.collect()
    gc.freeze()


class _Announcement:
    """Says once, when the first worker is ready, where the server is."""

    def __init__(self, url: str, host: str, port: int, *, is_tls: bool, as_json: bool) -> None:
        self._url = url
        self._address = (host, port)
        self._is_tls = is_tls
        self._as_json = as_json

    def start(self) -> None:
        threading.Thread(target=self._run, name="announce", daemon=True).start()

    def _run(self) -> None:
        end = time.monotonic() + _READY_SECONDS
        while time.monotonic() < end:
            status = ports.readiness(*self._address, is_tls=self._is_tls)
            if status == 200:
                line = json.dumps({"url": self._url, "ready": True}) if self._as_json else f"Ready: {self._url}"
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
                return
            time.sleep(0.05 if status is None else 0.25)
        say(f"{self._url}/readyz has not answered 200 for {_READY_SECONDS:.0f} s; the log says why.")


class _Server(Server):  # type: ignore[misc, valid-type]
    """Granian, told when its workers are forked: a thread made earlier would be half copied into them.

    Granian gives up when a worker dies twice within seconds. Here a worker that was killed is always replaced; the
    server ends for its workers' sake only if one refuses to serve, or fails three times by itself at its start.
    """

    announce: _Announcement | None = None
    interrupt_children: list[int]
    reload_signal: bool

    def _spawn_workers(self, *arguments: Any) -> None:
        super()._spawn_workers(*arguments)
        if self.announce is not None:
            self.announce.start()

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        failures = [0] * self.workers
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait()
            self.main_loop_interrupt.clear()
            died, self.interrupt_children = self.interrupt_children, []
            if self.interrupt_signal or was_refused():
                return
            if self.reload_signal:  # SIGHUP: look at the certificate now
                self.reload_signal = False
                for worker in self.wrks if self.ssl_ctx[0] else ():
                    os.kill(worker.inner.pid, signal.SIGHUP)
            for index in died:
                dead = self.wrks[index]
                is_old = time.monotonic() - dead.birth > _STARTED_SECONDS
                failures[index] = 0 if is_old or dead.inner.exitcode < 0 else failures[index] + 1
                if failures[index] == _GIVE_UP_AFTER:
                    say(f"A worker has failed {_GIVE_UP_AFTER} times at its start; the server ends.")
                    self.interrupt_children = [index]  # by which Granian knows that its exit status is not 0
                    return
                self._respawn_workers([index], spawn_target, target_loader)


def _server(settings: Settings, address: tuple[str, int], workers: int, files: Files | None) -> _Server:
    # The worker alone imports the product: this process only watches it, and stays small.
    multiprocessing.set_start_method("fork", force=True)
    return _Server(
        _TARGET,
        factory=True,
        address=address[0],
        port=address[1],
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=workers,
        log_level=LogLevels.warning,
        http=HTTPModes.http1,  # where it waits to see which version comes, it waits for ever
        http1_settings=HTTP1Settings(header_read_timeout=_HEAD_MS),
        ssl_cert=files and files.cert,
        ssl_key=files and files.key,
        ssl_protocol_min=SSLProtocols.tls12,  # of 1.2 rustls knows the suites with forward secrecy alone
        respawn_failed_workers=True,
        workers_kill_timeout=int(settings.drain_seconds + _AFTER_DRAIN_SECONDS),
    )
