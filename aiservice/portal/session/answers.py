"""How the sign-in routes answer: a form with a redirect, JSON with JSON, to pages of this portal only, and with nothing
that anybody keeps. What opened a session sets its cookie here, and what waits for a second factor its ticket.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from aiservice.errors import BrokerError, InternalFault, MethodNotAllowed, NotFound, PermissionDenied
from aiservice.kit.addresses import client_address, is_https
from aiservice.kit.ids import new_id
from aiservice.portal.session.bodies import Fields, is_form, receive_body, sent_fields
from aiservice.portal.session.cookie import (
    clear_ticket,
    read_session_cookie,
    read_ticket,
    set_away,
    set_session_cookie,
    set_ticket,
)
from aiservice.portal.session.redirects import HOME, safe_next, with_query
from aiservice.portal.session.same_origin import is_same_origin
from aiservice.principal import Person
from aiservice.services.accounts import Accounts, Browser, SignedIn
from aiservice.services.entrance import HELD_SECONDS, Held, SecondFactorNeeded
from aiservice.services.links import is_token
from aiservice.services.sessions import ABSOLUTE_SECONDS
from aiservice.services.sso import Sso
from aiservice.services.sso_sign_in import AWAY_SECONDS
from aiservice.settings import Settings

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]
LimitedHandler = tuple[Handler, str, str]
"""A handler, how often an address may ask it ("30/minute"), and the page that its form is on."""
_BEGIN_AGAIN = ("session_expired", "sign_in_expired")


class MakesPersonalClients(Protocol):
    """What is needed of the clients service."""

    async def personal(self, actor: Person) -> object: ...


class Core(Protocol):
    """What is needed of the services; they are opened after this module is imported."""

    @property
    def accounts(self) -> Accounts: ...
    @property
    def clients(self) -> MakesPersonalClients: ...
    @property
    def sso(self) -> Sso: ...
    @property
    def settings(self) -> Settings: ...


class Answering:
    """What every sign-in route has; `frontend_port` is the pages' own port in development."""

    def __init__(self, core: Callable[[], Core], frontend_port: int | None) -> None:
        self._core = core
        self._frontend_port = frontend_port

    async def _welcome(
        self,
        request: Request,
        fields: Fields,
        signed_in: SignedIn,
        *,
        is_new: bool = False,
        codes: list[str] | None = None,
    ) -> Response:
        """Signed in: the cookie, and where to go on; `codes` are recovery codes that were made with it."""
        core, person = self._core(), signed_in.person
        await core.accounts.sign_out(self._cookie(request))  # the session that this browser had before
        if is_new:
            try:
                await core.clients.personal(person)
            except Exception:
                # The account exists and its link is used up; the client is made when a page first asks for it.
                log.exception("The personal client of %s could not be made yet.", person.user_id)
        next_page = safe_next(fields.optional("next"))
        user = {"id": person.user_id, "email": person.email, "role": person.role.value}
        more = {"codes": codes} if codes else {}
        response = self._done(request, next_page, {"user": user, "next": next_page, **more})
        cookie = set_session_cookie(
            signed_in.cookie, is_https=self._is_https(request), max_age_seconds=ABSOLUTE_SECONDS
        )
        response.headers.append("set-cookie", cookie)
        if self._ticket(request):
            response.headers.append("set-cookie", clear_ticket(is_https=self._is_https(request)))
        return response

    def _hold(self, request: Request, held: Held) -> Response:
        """The password was right; the page to go on with, and the ticket for it."""
        page = with_query(
            "/first-factor" if held.is_set_up else "/second-factor",
            next=_other_than_home(safe_next(sent_fields(request).optional("next"))),
        )
        response = self._done(request, page, {"second_factor": "set_up" if held.is_set_up else "show", "next": page})
        return self._with_ticket(request, response, held.ticket)

    def _with_ticket(self, request: Request, response: Response, ticket: str) -> Response:
        line = set_ticket(ticket, is_https=self._is_https(request), max_age_seconds=HELD_SECONDS)
        response.headers.append("set-cookie", line)
        return response

    def _done(self, request: Request, page: str, body: dict[str, Any]) -> Response:
        return self._see(request, page) if is_form(request) else JSONResponse(body)

    def _see(self, request: Request, page: str) -> Response:
        origin = request.headers.get("origin", "")
        # Checked before: an Origin with this port has the request's own host name.
        is_frontend = self._frontend_port is not None and origin.endswith(f":{self._frontend_port}")
        return RedirectResponse((origin if is_frontend else "") + page, status_code=303)

    def _answered(self, handler: Handler, page: str) -> Handler:
        """`handler` for pages of this portal only, its failures as answers, and no answer kept by anybody."""

        async def answer(request: Request) -> Response:
            request_id = new_id("req")
            try:
                await receive_body(request)
                self._refuse_strangers(request)
                response = await self._handled(handler, request)
            except _Forbidden as error:
                response = json_error(error, request_id)
            except SecondFactorNeeded as needed:
                response = self._hold(request, needed.held)
            except BrokerError as error:
                response = self._failed(request, page, error, request_id)
            response.headers["cache-control"] = "no-store"
            response.headers["x-request-id"] = request_id
            return response

        return answer

    async def _handled(self, handler: Handler, request: Request) -> Response:
        try:
            return await handler(request)
        except BrokerError:
            raise
        except Exception as exc:
            log.exception("A sign-in route failed.")
            raise InternalFault from exc

    def _failed(self, request: Request, page: str, error: BrokerError, request_id: str) -> Response:
        if not is_form(request):
            return json_error(error, request_id)
        fields = sent_fields(request)
        token, next_page = fields.optional("token"), safe_next(fields.optional("next"))
        target = with_query(
            "/sign-in" if error.code in _BEGIN_AGAIN else page,
            token=token if is_token(token) else "",
            next=_other_than_home(next_page),
            error=error.code,
            retry_after="" if error.retry_after is None else str(round(error.retry_after)),
        )
        return self._see(request, target)

    def _refuse_strangers(self, request: Request) -> None:
        settings = self._core().settings
        if not is_same_origin(
            request.scope["headers"],
            is_https=self._is_https(request),
            public_url=settings.public_url,
            frontend_port=self._frontend_port,
        ):
            raise _Forbidden("This form was not sent by a page of this portal.", code="foreign_origin")

    def _is_https(self, request: Request) -> bool:
        return is_https(request.scope, self._core().settings.trusted_proxies)

    def _cookie(self, request: Request) -> str | None:
        return read_session_cookie(request.scope["headers"], is_https=self._is_https(request))

    def _ticket(self, request: Request) -> str:
        return read_ticket(request.scope["headers"], is_https=self._is_https(request)) or ""

    def _away(self, request: Request, cookie: str) -> str:
        """The line that sets what a browser comes back from a provider with."""
        return set_away(cookie, is_https=self._is_https(request), max_age_seconds=AWAY_SECONDS)

    def _browser(self, request: Request) -> Browser:
        trusted = self._core().settings.trusted_proxies
        return Browser(client_address(request.scope, trusted), request.headers.get("user-agent", ""))


class _Forbidden(PermissionDenied):
    """A post from elsewhere: it gets no redirect, since nobody of ours waits for one."""


def _other_than_home(page: str) -> str:
    return "" if page == HOME else page


def json_error(error: BrokerError, request_id: str) -> Response:
    """The error as JSON."""
    response = JSONResponse(error.body(request_id), status_code=error.status)
    if error.retry_after is not None:
        response.headers["retry-after"] = str(max(1, round(error.retry_after)))
    return response


async def no_route(request: Request, exc: Exception) -> Response:
    """What Starlette finds no route for."""
    with suppress(BrokerError):
        await receive_body(request)
    if isinstance(exc, HTTPException) and exc.status_code == 405:
        response = json_error(MethodNotAllowed("Sign-in routes take POST."), new_id("req"))
        response.headers["allow"] = "POST"
        return response
    return json_error(NotFound(), new_id("req"))
