"""The routes of single sign-on: out to the provider, and back. A browser follows links here, so they take GET; what
makes that safe is the cookie that `services/sso_sign_in.py` binds both ways to. They stand beside Reflex as all routes
that set a cookie do.
"""

import logging
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from aiservice.errors import BrokerError, InternalFault, PermissionDenied, Unauthenticated
from aiservice.kit.ids import new_id
from aiservice.kit.logs import one_line
from aiservice.portal.session.address_limits import AddressLimits
from aiservice.portal.session.answers import Answering, Handler
from aiservice.portal.session.bodies import Fields
from aiservice.portal.session.cookie import clear_away, read_away, set_opened_by
from aiservice.portal.session.redirects import HOME, safe_next, with_query
from aiservice.principal import Person
from aiservice.services.rights import require
from aiservice.services.sessions import ABSOLUTE_SECONDS
from aiservice.services.sso_sign_in import Purpose

log = logging.getLogger(__name__)

PREFIX = "/auth/sso/{name}"
SET_UP_PAGE = "/single-sign-on"
_SIGN_IN_PAGE = "/sign-in"
_CONFIRMED = (
    b"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    b"<meta name=color-scheme content='light dark'><title>Confirmed</title><body style='font:1rem system-ui;"
    b"max-width:32rem;margin:4rem auto;padding:0 1rem'><h1>Thank you</h1>"
    b"<p>You have said again who you are. Close this tab and repeat what you were about to do.</p>"
)


class SsoRoutes(Answering):
    """The routes; `{name}` is a provider's."""

    def routes(self, limits: AddressLimits) -> list[Route]:
        """All of them, each slowed down by address."""
        handlers: list[tuple[str, Handler, str]] = [
            ("start", self.start, _SIGN_IN_PAGE),
            ("confirm", self.confirm, _SIGN_IN_PAGE),
            ("test", self.test, SET_UP_PAGE),
            ("callback", self.callback, _SIGN_IN_PAGE),
            ("leave", self.leave, _SIGN_IN_PAGE),
        ]
        return [
            Route(f"{PREFIX}/{path}", self._followed(limits.limited(handler, "30/minute"), page), methods=["GET"])
            for path, handler, page in handlers
        ]

    async def start(self, request: Request) -> Response:
        """`next`: to the provider, to sign in."""
        return await self._go(request, "sign_in", safe_next(request.query_params.get("next")), None)

    async def confirm(self, request: Request) -> Response:
        """To the provider, to say again who is there; in a tab of its own."""
        return await self._go(request, "confirm", HOME, await self._person(request))

    async def test(self, request: Request) -> Response:
        """To the provider, for an admin who wants to see what it says."""
        person = await self._person(request)
        require(person, "sso.check")
        return await self._go(request, "test", SET_UP_PAGE, person)

    async def callback(self, request: Request) -> Response:
        """`code` and `state`, or `error`: the way back."""
        name, cookie, core = request.path_params["name"], self._came_with(request), self._core()
        person = await core.accounts.resolve(self._cookie(request))
        back = await core.sso.sign_in.come_back(name, cookie, _each_once(request), self._browser(request), person)
        if back.purpose == "test":
            return self._gone_back(request, _to(with_query(SET_UP_PAGE, tried=name)))
        if back.purpose == "confirm":
            return self._gone_back(request, HTMLResponse(_CONFIRMED))
        next_path = safe_next(back.next_path)
        if back.held is not None:
            page = "/first-factor" if back.held.is_set_up else "/second-factor"
            response = _to(with_query(page, next="" if next_path == HOME else next_path))
            return self._gone_back(request, self._with_ticket(request, response, back.held.ticket))
        if back.signed_in is None:
            raise InternalFault
        welcome = await self._welcome(request, Fields({}), back.signed_in, is_new=back.is_new)
        response = _to(next_path)
        for line in welcome.headers.getlist("set-cookie"):
            response.headers.append("set-cookie", line)
        opened = set_opened_by(name, is_https=self._is_https(request), max_age_seconds=ABSOLUTE_SECONDS)
        response.headers.append("set-cookie", opened)
        return self._gone_back(request, response)

    async def leave(self, request: Request) -> Response:
        """To the provider, to sign out there."""
        where = await self._core().sso.sign_in.leaving.leave(request.path_params["name"], self._came_with(request))
        return self._gone_back(request, _to(where))

    async def _go(self, request: Request, purpose: Purpose, next_path: str, person: Person | None) -> Response:
        begun = await self._core().sso.sign_in.begin(request.path_params["name"], next_path, purpose, person)
        response = _to(begun.location)
        response.headers.append("set-cookie", self._away(request, begun.cookie))
        return response

    async def _person(self, request: Request) -> Person:
        person = await self._core().accounts.resolve(self._cookie(request))
        if person is None:
            raise Unauthenticated("Your session has ended. Sign in again.", code="session_expired")
        return person

    def _came_with(self, request: Request) -> str:
        return read_away(request.scope["headers"], is_https=self._is_https(request)) or ""

    def _gone_back(self, request: Request, response: Response) -> Response:
        response.headers.append("set-cookie", clear_away(is_https=self._is_https(request)))
        return response

    def _followed(self, handler: Handler, page: str) -> Handler:
        """`handler` for whoever follows a link: what failed is told on a page of ours, and nobody keeps an answer."""

        async def answer(request: Request) -> Response:
            request_id = new_id("req")
            try:
                response = await self._handled(handler, request)
            except BrokerError as error:
                name = request.path_params["name"][:40]
                log.warning("Single sign-on by %s failed: %s %s", one_line(name), error.code, one_line(error.message))
                response = _to(with_query(page, error=error.code))
            response.headers["cache-control"] = "no-store"
            response.headers["referrer-policy"] = "no-referrer"  # the address holds a code
            response.headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'"
            response.headers["x-request-id"] = request_id
            return response

        return answer


def _to(where: str) -> Response:
    return RedirectResponse(where, status_code=303)


def _each_once(request: Request) -> Mapping[str, str]:
    """The query. Raises: PermissionDenied: a name twice, of which one was planted."""
    pairs = request.query_params.multi_items()
    values = dict(pairs)
    if len(values) != len(pairs):
        raise PermissionDenied("The provider's answer has a parameter twice. Begin again.", code="sso_provider_error")
    return values
