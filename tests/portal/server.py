"""The portal's server without its pages, and the attacker's tools: a cookie jar and a bare socket."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx
import socketio

from tests.harness.mock import is_answering
from tests.harness.process import Child, free_port
from tests.harness.waiting import until

ADMIN, PASSWORD = "admin@example.test", "a long enough password"
STATE = "reflex___state____state"


class Site(Protocol):
    """Where a portal is served."""

    @property
    def url(self) -> str: ...


class PortalServer:
    """A started server. Anybody may sign up, so that a test has as many people as it needs."""

    def __init__(self, port: int, folder: Path, log: Path) -> None:
        self.port = port
        self.folder = folder
        self.log = log
        self._visits = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cookie_of(self, email: str = ADMIN, *, is_new: bool = False) -> str:
        """Signs in (or up) and gives the Cookie header."""
        route = "sign-up" if is_new else "sign-in"
        # Each from an address of its own: one that signs in as often as all tests together is rightly slowed down.
        self._visits += 1
        headers = {"x-forwarded-for": f"10.9.{self._visits // 250}.{self._visits % 250 + 1}"}
        answer = httpx.post(f"{self.url}/auth/{route}", json={"email": email, "password": PASSWORD}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.headers["set-cookie"].partition(";")[0]


@contextmanager
def portal_server(folder: Path) -> Iterator[PortalServer]:
    """Granian with our app, as `reflex run --env prod` starts it, but without compiling pages."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AISERVICE_")}
    env = {
        **kept,
        "AISERVICE_DATA_DIR": str(folder / "data"),
        "AISERVICE_ADMIN_EMAIL": ADMIN,
        "AISERVICE_ADMIN_PASSWORD": PASSWORD,
        "AISERVICE_SIGNUP": "open",
        "AISERVICE_TRUSTED_PROXIES": "127.0.0.1",
        "AISERVICE_LOG_LEVEL": "DEBUG",
        "__REFLEX_SKIP_COMPILE": "true",
    }
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--port", str(port)]
    log = folder / "portal.log"
    with Child([*command, "aiservice.aiservice:app"], log=log, env=env) as child:
        child.wait_ready(lambda: is_answering(f"http://127.0.0.1:{port}/readyz"), seconds=60)
        yield PortalServer(port, folder, log)


class Attacker:
    """A bare Socket.IO client that speaks Reflex's protocol and keeps everything it is sent."""

    def __init__(
        self, site: Site, *, token: str = "t", cookie: str = "", origin: str | None = None, address: str = ""
    ) -> None:
        self._site = site
        self._token = token
        self._headers = {
            **({"Cookie": cookie} if cookie else {}),
            **({"X-Forwarded-For": address} if address else {}),
            "Origin": site.url if origin is None else origin,
        }
        self.client = socketio.AsyncClient(reconnection=False)
        self.received: list[dict[str, Any]] = []
        self.client.on("event", self._keep, namespace="/_event")

    async def _keep(self, update: dict[str, Any]) -> None:
        self.received.append(update)

    async def __aenter__(self) -> "Attacker":
        await self.connect()
        return self

    async def connect(self, auth: dict[str, Any] | None = None) -> None:
        """Opens the socket; `auth` goes with the first message, as a page's first event does."""
        await self.client.connect(
            f"{self._site.url}?token={self._token}",
            headers=self._headers,
            auth=auth,
            socketio_path="/_event",
            namespaces=["/_event"],
            transports=["websocket"],
            wait_timeout=5,
        )

    async def __aexit__(self, *_exc: object) -> None:
        await self.client.disconnect()

    async def send(self, name: str, payload: dict[str, Any] | None = None, path: str = "/keys") -> None:
        """One event; `name` is the handler's full name. Returns once it was answered and nothing more has come for a
        while: longer where the machine is so busy that the answer itself took its time."""
        with contextlib.suppress(TimeoutError):  # some have nothing to say
            await self.settle(max(0.15, 3 * await self.ask(name, payload, path)))

    async def ask(self, name: str, payload: dict[str, Any] | None = None, path: str = "/keys") -> float:
        """One event, and its first answer; gives the seconds that took.

        Raises:
            TimeoutError: none came for a second.
        """
        router = {"pathname": path, "asPath": path, "query": {}}
        event = {"name": name, "payload": payload or {}, "router_data": router}
        seen = len(self.received)
        await self.client.emit("event", event, namespace="/_event")
        return await self.until(lambda: len(self.received) > seen, 1.0)

    async def hydrate(self, path: str = "/keys") -> None:
        await self.send(f"{STATE}.hydrate_and_load", path=path)

    async def until(self, is_true: Callable[[], bool], seconds: float = 10.0) -> float:
        """Waits for what the server is to send; gives the seconds that took.

        Raises:
            TimeoutError: it did not come.
        """
        return await until(is_true, seconds)

    async def settle(self, seconds: float = 0.4) -> None:
        """Waits until nothing has come for `seconds`."""
        seen = -1
        while seen != len(self.received):
            seen = len(self.received)
            await asyncio.sleep(seconds)

    def state(self) -> dict[str, dict[str, Any]]:
        """All deltas laid over each other: what a browser would know now."""
        known: dict[str, dict[str, Any]] = {}
        for update in self.received:
            for name, values in (update.get("delta") or {}).items():
                known.setdefault(name, {}).update(values)
        return known

    def var(self, state: str, name: str) -> Any:
        """A variable of the one state whose name ends like this; None when it was never sent."""
        for full_name, values in self.state().items():
            if full_name.endswith(state):
                return values.get(f"{name}_rx_state_", values.get(name))
        return None

    def redirects(self) -> list[str]:
        events = [event for update in self.received for event in update.get("events") or []]
        return [event["payload"]["path"] for event in events if event["name"] == "_redirect"]
