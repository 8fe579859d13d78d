"""The routes that open and end portal sessions: plain ASGI beside Reflex, since only a response can set a cookie that
no script can read.

Each takes a form post (answered with a redirect) or JSON (answered with JSON), from pages of this portal only. Each
address is slowed down (`address_limits.py`); what guesses reach the password is counted by the accounts service in the
database, and without that nobody signs in.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from aiservice.errors import (
    BrokerError,
    InternalFault,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)
from aiservice.kit.addresses import client_address, is_https
from aiservice.kit.ids import new_id
from aiservice.portal.session.address_limits import AddressLimits
from aiservice.portal.session.bodies import Fields, is_form, read_fields, receive_body, sent_fields
from aiservice.portal.session.cookie import clear_session_cookie, read_session_cookie, set_session_cookie
from aiservice.portal.session.redirects import HOME, safe_next, with_query
from aiservice.portal.session.same_origin import is_same_origin
from aiservice.principal import Person
from aiservice.services.accounts import Accounts, Browser, SignedIn
from aiservice.services.links import is_token
from aiservice.services.sessions import ABSOLUTE_SECONDS
from aiservice.settings import Settings

log = logging.getLogger(__name__)

PREFIX = "/auth"
Handler = Callable[[Request], Awaitable[Response]]


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
    def settings(self) -> Settings: ...


def build(core: Callable[[], Core], *, frontend_port: int | None = None) -> ASGIApp:
    """The ASGI app for every path below `/auth`, given the scope as it came. Nothing starts before its first request.

    `frontend_port` is the pages' own port in development: their origin is accepted and they are returned to.
    """
    return AuthRoutes(core, frontend_port)


class AuthRoutes:
    """The sign-in routes. Their names are `/auth/` and the method's, with hyphens."""

    def __init__(self, core: Callable[[], Core], frontend_port: int | None) -> None:
        self._core = core
        self._frontend_port = frontend_port
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            self._app = self._build()
        await self._app(scope, receive, send)

    def _build(self) -> ASGIApp:
        limits = AddressLimits(self._core().settings)
        limited: list[tuple[Handler, str, str]] = [
            (self.sign_in, "30/minute", "/sign-in"),
            (self.sign_up, "10/minute", "/sign-up"),
            (self.sign_out, "60/minute", "/sign-in"),
            (self.setup, "20/minute", "/setup"),
            (self.invite, "20/minute", "/invite"),
            (self.reset, "20/minute", "/reset"),
            (self.change_password, "20/minute", "/account"),
        ]
        routes = []
        for handler, limit, page in limited:
            name = handler.__name__.replace("_", "-")
            answered = self._answered(limits.limited(handler, limit), page)
            routes.append(Route(f"{PREFIX}/{name}", answered, methods=["POST"]))
        app = Starlette(routes=routes, exception_handlers={HTTPException: _no_route})
        app.router.redirect_slashes = False  # it would build an absolute URL from the Host header
        return app

    async def sign_in(self, request: Request) -> Response:
        """`email`, `password`, `next`."""
        fields = await read_fields(request)
        signed_in = await self._core().accounts.sign_in(
            fields.required("email"), fields.required("password"), self._browser(request)
        )
        return await self._welcome(request, fields, signed_in)

    async def sign_up(self, request: Request) -> Response:
        """`email`, `password`, `next`."""
        fields = await read_fields(request)
        signed_in = await self._core().accounts.sign_up(
            fields.required("email"), fields.required("password"), self._browser(request)
        )
        return await self._welcome(request, fields, signed_in, is_new=True)

    async def setup(self, request: Request) -> Response:
        """`token`, `email`, `password`: the first admin."""
        fields = await read_fields(request)
        signed_in = await self._core().accounts.set_up(
            fields.required("token"), fields.required("email"), fields.required("password"), self._browser(request)
        )
        return await self._welcome(request, fields, signed_in, is_new=True)

    async def invite(self, request: Request) -> Response:
        """`token`, `password`: the account that the invitation names."""
        fields = await read_fields(request)
        signed_in = await self._core().accounts.accept_invite(
            fields.required("token"), fields.required("password"), self._browser(request)
        )
        return await self._welcome(request, fields, signed_in, is_new=True)

    async def reset(self, request: Request) -> Response:
        """`token`, `password`: a new password by a reset link."""
        fields = await read_fields(request)
        signed_in = await self._core().accounts.reset_by_link(
            fields.required("token"), fields.required("password"), self._browser(request)
        )
        return await self._welcome(request, fields, signed_in)

    async def change_password(self, request: Request) -> Response:
        """`current`, `password`, `next`, for who is signed in."""
        fields = await read_fields(request)
        accounts = self._core().accounts
        person = await accounts.resolve(self._cookie(request))
        if person is None:
            raise Unauthenticated("Your session has ended. Sign in again.", code="session_expired")
        signed_in = await accounts.change_password(
            person, fields.required("current"), fields.required("password"), self._browser(request)
        )
        return await self._welcome(request, fields, signed_in)

    async def sign_out(self, request: Request) -> Response:
        """No fields are needed; signing out twice is not a mistake."""
        await self._core().accounts.sign_out(self._cookie(request))
        response = self._done(request, "/sign-in", {"signed_out": True})
        response.headers.append("set-cookie", clear_session_cookie(is_https=self._is_https(request)))
        return response

    async def _welcome(
        self, request: Request, fields: Fields, signed_in: SignedIn, *, is_new: bool = False
    ) -> Response:
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
        response = self._done(request, next_page, {"user": user, "next": next_page})
        cookie = set_session_cookie(
            signed_in.cookie, is_https=self._is_https(request), max_age_seconds=ABSOLUTE_SECONDS
        )
        response.headers.append("set-cookie", cookie)
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
                response = _json_error(error, request_id)
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
            return _json_error(error, request_id)
        fields = sent_fields(request)
        token, next_page = fields.optional("token"), safe_next(fields.optional("next"))
        target = with_query(
            "/sign-in" if error.code == "session_expired" else page,
            token=token if is_token(token) else "",
            next="" if next_page == HOME else next_page,
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

    def _browser(self, request: Request) -> Browser:
        trusted = self._core().settings.trusted_proxies
        return Browser(client_address(request.scope, trusted), request.headers.get("user-agent", ""))


class _Forbidden(PermissionDenied):
    """A post from elsewhere: it gets no redirect, since nobody of ours waits for one."""


def _json_error(error: BrokerError, request_id: str) -> Response:
    response = JSONResponse(error.body(request_id), status_code=error.status)
    if error.retry_after is not None:
        response.headers["retry-after"] = str(max(1, round(error.retry_after)))
    return response


async def _no_route(request: Request, exc: Exception) -> Response:
    with suppress(BrokerError):
        await receive_body(request)
    if isinstance(exc, HTTPException) and exc.status_code == 405:
        response = _json_error(MethodNotAllowed("Sign-in routes take POST."), new_id("req"))
        response.headers["allow"] = "POST"
        return response
    return _json_error(NotFound(), new_id("req"))
