"""One tab of the portal without a browser: it opens pages by their routes with the messages that the built page sends,
and knows when what such a page shows has come."""

import asyncio
import secrets
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import httpx

from aiservice.aiservice import app
from aiservice.portal.layout import registered_pages
from tests.portal.server import STATE, Attacker, Site

assert app is not None  # importing it registers every page

_LOAD = f"{STATE}.reflex___state____on_load_internal_state.on_load_internal"
_BELL = f"{STATE}.aiservice___portal___layout___bell____bell_state.look"
_HYDRATED = "is_hydrated_rx_state_"
_PATIENCE_SECONDS = 30.0


class NotShown(Exception):
    """A page did not show what it was asked for; the message says what came instead."""


@dataclass(slots=True, frozen=True)
class Page:
    """A page of signed-in people, at an address of it. `state` is the full name of what its data is kept in."""

    route: str
    path: str
    state: str
    is_admin: bool

    def at(self, path: str) -> "Page":
        """The same page at another address."""
        return Page(self.route, path, self.state, self.is_admin)


def pages(parts: dict[str, str]) -> dict[str, Page]:
    """Every registered page for signed-in people by its route; `parts` are the values of what routes leave open."""
    found = {}
    for spec in registered_pages():
        if not spec.is_framed:
            continue
        path = spec.route
        for name, value in parts.items():
            path = path.replace(f"[{name}]", value)
        found[spec.route] = Page(spec.route, path, spec.on_load.state_full_name, spec.is_admin)
    return found


def sign_in(site: Site, email: str, password: str) -> str:
    """The Cookie header of a new session."""
    answer = httpx.post(f"{site.url}/auth/sign-in", json={"email": email, "password": password}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


class Tab(Attacker):
    """A tab of a signed-in person; entering it opens nothing yet."""

    def __init__(self, site: Site, cookie: str) -> None:
        super().__init__(site, token=secrets.token_hex(16), cookie=cookie)
        self._has_come = asyncio.Event()
        self._path = "/"

    async def __aenter__(self) -> "Tab":
        return self

    async def open(self, page: Page) -> float:
        """Opens the page as a link in a new tab does; gives the seconds from asking for its document until its data is
        there. The whole state is sent, as to a browser that comes back; one that comes first is spared the defaults.

        Raises:
            NotShown: it showed something else, or nothing.
        """
        began, self._path = perf_counter(), page.path
        asked = aiohttp.request("GET", f"{self._site.url}{page.path}", headers=self._headers)
        async with asked as document:
            text = await document.text()
        if document.status != 200 or "<script" not in text:
            raise NotShown(f"{page.path}: {document.status} {text[:200]}")
        await self.connect({"event": self._event(f"{STATE}.hydrate_and_load")})
        await self._emit(_BELL)
        return await self._data_of(page, 0) - began

    async def go(self, page: Page) -> float:
        """Goes on to the page within the tab, as a link of the navigation does; gives the seconds until its data.

        Raises:
            NotShown: it showed something else, or nothing.
        """
        began, seen, self._path = perf_counter(), len(self.received), page.path
        await self._emit(_LOAD)
        return await self._data_of(page, seen) - began

    async def click(self, name: str, payload: dict[str, Any]) -> float:
        """An event that leads elsewhere; gives the seconds until the page is told where to."""
        began, seen = perf_counter(), len(self.received)
        await self._emit(name, payload)
        await self._when(lambda update: any(event["name"] == "_redirect" for event in update.get("events") or []), seen)
        return perf_counter() - began

    def forget(self) -> None:
        """Lets go of what has come so far: a tab that is open for long would keep all of it."""
        self.received.clear()

    async def _keep(self, update: dict[str, Any]) -> None:
        self.received.append(update)
        self._has_come.set()

    async def _emit(self, name: str, payload: dict[str, Any] | None = None) -> None:
        await self.client.emit("event", self._event(name, payload), namespace="/_event")

    def _event(self, name: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        url = urlsplit(self._path)
        router = {"pathname": url.path, "asPath": self._path, "query": dict(parse_qsl(url.query))}
        return {"name": name, "payload": payload or {}, "router_data": router}

    async def _data_of(self, page: Page, seen: int) -> float:
        """When the page's data has come: what its load handler has set, which is sent once it is through."""

        def is_data(update: dict[str, Any]) -> bool:
            delta = update.get("delta") or {}
            hydrated = delta.get(STATE, {}).get(_HYDRATED)
            return hydrated is True or (page.state in delta and hydrated is None)

        update = await self._when(is_data, seen)
        came = perf_counter()
        delta, session = (update.get("delta") or {}).get(page.state, {}), self.state()
        told = {name.removesuffix("_rx_state_"): value for name, value in delta.items()}
        wrong = [self.var("session_state", name) for name in ("load_error", "notice")] + [told.get("problem")]
        away = [event["payload"] for update in self.received[seen:] for event in update.get("events") or []]
        if any(wrong) or away or told.get("is_loaded") is False or page.state not in session:
            raise NotShown(f"{page.path}: {wrong} {away} {sorted(told)}")
        return came

    async def _when(self, is_it: Any, seen: int) -> dict[str, Any]:
        """The first update after `seen` that is it.

        Raises:
            NotShown: it did not come.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while True:
                    self._has_come.clear()
                    for update in self.received[seen:]:
                        if is_it(update):
                            return update
                    await self._has_come.wait()
        except TimeoutError:
            raise NotShown(f"{self._path}: {len(self.received)} messages, and not what was waited for") from None
