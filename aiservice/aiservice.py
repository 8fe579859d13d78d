"""The composition root: the services, the gateway in front, the portal behind, in one ASGI callable."""

import gc
import linecache
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import reflex as rx
from reflex.utils.prerequisites import get_web_dir
from reflex_base import constants
from reflex_base.config import get_config
from reflex_base.environment import environment

from aiservice.errors import Overloaded
from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.gateway.drain import Drain
from aiservice.gateway.edge import Edge
from aiservice.gateway.exchange import AsgiApp, Receive, Scope, Send
from aiservice.gateway.respond import send_error
from aiservice.jobs.schedule import start_jobs, stop_jobs
from aiservice.kit.addresses import client_address
from aiservice.kit.at_first_use import AtFirstUse
from aiservice.kit.discover import modules_of
from aiservice.kit.ids import new_id
from aiservice.kit.logs import start_logging, stop_logging
from aiservice.kit.process import most_open_files, return_free_memory
from aiservice.kit.refusal import refuse_to_serve
from aiservice.kit.under_path import UnderPath
from aiservice.portal import pages
from aiservice.portal.front import SOCKET_PATH, Front
from aiservice.portal.layout import add_pages
from aiservice.portal.policy import BrowserPolicy
from aiservice.portal.session import exports, gate, playground, reveal, routes
from aiservice.portal.session.later import Later
from aiservice.portal.session.live import LivePages
from aiservice.portal.session.sending import send_at_once
from aiservice.portal.session.states import PageStates
from aiservice.principal import Person
from aiservice.services.cluster import SecondServer
from aiservice.services.core import Core, current_core
from aiservice.services.opening import open_core
from aiservice.settings import load_settings
from aiservice.store.migrations import NewerDatabase

# Containers made and not freed between two looks for garbage: many times what the requests under way hold, else each
# look finds those. At Python's own 700 the collector was a twentieth of a request.
_COLLECTOR_EVERY = 5_000
_FEW_FILES = 4_096

log = logging.getLogger(__name__)


class Door:
    """The outermost callable of a worker: the edge once it is open, the portal alone for the lifespan before that."""

    def __init__(self, portal: AsgiApp) -> None:
        self._portal = portal
        self.edge: Edge | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if self.edge is not None:
            return self.edge(scope, receive, send)
        if scope["type"] == "http":
            starting = Overloaded("The broker is starting.", code="starting", retry_after=1)
            return send_error(send, starting, new_id("req"), None)
        return self._portal(scope, receive, send)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Opens everything that a worker needs, inside the worker: nothing of it survives a fork."""
        settings = load_settings()
        start_logging(settings.log_level, is_json=settings.log_format == "json")
        if (files := most_open_files()) < _FEW_FILES:
            log.warning("Only %d files and connections may be open here at once: raise `ulimit -H -n`.", files)
        try:
            node_id = os.environ.get("__AISERVICE_NODE", "")
            async with open_core(settings, is_serving=True, node_id=node_id) as core:
                in_flight = InFlight()
                forms = reveal.build(current_core, beside=routes.build(current_core))
                sign_in = playground.build(
                    current_core, lambda: self.edge, beside=exports.build(current_core, beside=forms)
                )
                management = AtFirstUse(lambda: _management(core))
                self.edge = build_gateway(core, in_flight, sign_in, self._portal, management)
                drain = Drain(in_flight, settings.drain_seconds, core.cluster.leave)
                drain.install()
                jobs = start_jobs(core, on_refused=lambda reason: _end_refused(reason, drain))
                await _offer_setup(core)
                _spare_the_collector()
                core.board.watch.begin_anew()
                try:
                    async with states.kept_by(core.page_copies), LivePages(app).run(), Later(app).run():
                        yield
                finally:
                    self.edge = None
                    await stop_jobs(jobs)
                    await core.keys.flush_last_used()
        except (SecondServer, NewerDatabase) as refusal:
            stop_logging()
            refuse_to_serve(str(refusal))
        except Exception:
            # The HTTP server would say it, to a log that is closed by then.
            log.exception("This worker ends: it could not open what it needs, or not close it.")
            raise
        finally:
            stop_logging()


def _end_refused(reason: str, drain: Drain) -> None:
    """Another server took this one's place while it stood still: what is under way may end, nothing new begins."""
    log.error("This server ends: %s", reason)
    drain.begin()


def _management(core: Core) -> AsgiApp:
    """`/api`: its first call waits a quarter of a second for rows and models, four megabytes for a few callers."""
    from aiservice.management import build_management  # noqa: PLC0415 - as said above

    return build_management(core)


def _docs() -> AsgiApp:
    """The documentation, with what makes pages of Markdown."""
    from aiservice.docs import Docs  # noqa: PLC0415 - two megabytes, for who reads it

    return Docs(lambda: current_core().settings)


def _spare_the_collector() -> None:
    """Takes what was made until now out of garbage collection, and gives back what only the start needed.

    Modules, pages and tables live as long as the process; looking through them all held every request up for 0.3 s.
    """
    linecache.clearcache()  # sources that somebody looked into for a signature
    gc.collect()
    return_free_memory()
    gc.freeze()
    gc.set_threshold(_COLLECTOR_EVERY, 20, 20)


async def _offer_setup(core: Core) -> None:
    """Prints the link by which the first admin is made, while there is none: the first worker of all does.

    To the terminal and past the log: whoever holds the link becomes the admin, and logs are kept.
    """
    if core.vault.is_sealed or not core.cluster.is_first:
        return
    path = await core.accounts.setup_link_if_needed()
    if path is not None:
        config = get_config()
        is_development = environment.REFLEX_ENV_MODE.get() is constants.Env.DEV
        port = config.frontend_port if is_development else config.backend_port
        listening = os.environ.get("__AISERVICE_LISTENING") or f"http://localhost:{port}"
        link = core.accounts.link_url(path, listening)
        sys.stdout.write(f"No admin yet. Make the first one here (once, within an hour):\n  {link}\n")
        sys.stdout.flush()


class BrokerApp(rx.App):
    """A Reflex app whose ASGI callable is ours: every server that asks Reflex for its app is given our door."""

    _door: ClassVar[Door | None] = None

    def __call__(self) -> Any:
        reflex = super().__call__()
        under = get_config().frontend_path.rstrip("/")
        policy = BrowserPolicy.of_build(get_web_dir() / constants.Dirs.STATIC / under.strip("/"))
        BrokerApp._door = Door(
            Front(reflex, policy=policy, settings=lambda: current_core().settings, docs=AtFirstUse(_docs))
        )
        return UnderPath(under, BrokerApp._door) if under else BrokerApp._door

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Reflex enters this with the worker's lifespan."""
        if self._door is None:
            raise RuntimeError("the app was not asked for its ASGI callable yet")
        async with self._door.opened():
            yield


async def _person(cookie: str) -> Person | None:
    return await current_core().accounts.resolve(cookie)


def _address(socket_id: str) -> str:
    environ = app.sio.get_environ(socket_id, SOCKET_PATH) if app.sio is not None else None
    return client_address(environ["asgi.scope"], current_core().settings.trusted_proxies) if environ else ""


app = BrokerApp(
    html_lang="en",
    toaster=None,
    app_wraps={},
    backend_exception_handler=gate.log_backend_fault,
    frontend_exception_handler=gate.log_browser_fault,
    head_components=[
        rx.el.link(rel="icon", href=get_config().prepend_frontend_path("/favicon.svg"), type="image/svg+xml")
    ],
)
assert app.sio is not None  # noqa: S101 - for the type checker: a stateful app has one
states = PageStates.new()
states.serve(app)
# Same origin only; Reflex's own [] would switch the check off.
app.sio.eio.cors_allowed_origins = None
send_at_once(app.sio)
modules_of(pages)
add_pages(app)
gate.install(app, _person, _address)
app.register_lifespan_task(app.opened)
