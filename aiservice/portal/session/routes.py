"""The routes that open and end portal sessions: plain ASGI beside Reflex, since only a response can set a cookie that
no script can read.

Each takes a form post (answered with a redirect) or JSON (answered with JSON), from pages of this portal only. Each
address is slowed down (`address_limits.py`); what guesses reach the password is counted by the accounts service in the
database, and without that nobody signs in.
"""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from aiservice.errors import Unauthenticated
from aiservice.portal.session.address_limits import AddressLimits
from aiservice.portal.session.answers import Answering, Core, LimitedHandler, no_route
from aiservice.portal.session.bodies import is_form, read_fields
from aiservice.portal.session.cookie import OPENED_BY, clear_session_cookie, set_opened_by
from aiservice.portal.session.factor_routes import FactorRoutes
from aiservice.portal.session.sso_routes import SsoRoutes

PREFIX = "/auth"


def build(core: Callable[[], Core], *, frontend_port: int | None = None) -> ASGIApp:
    """The ASGI app for every path below `/auth`, given the scope as it came. Nothing starts before its first request.

    `frontend_port` is the pages' own port in development: their origin is accepted and they are returned to.
    """
    return AuthRoutes(core, frontend_port)


class AuthRoutes(Answering):
    """The sign-in routes. Their names are `/auth/` and the method's, with hyphens."""

    def __init__(self, core: Callable[[], Core], frontend_port: int | None) -> None:
        super().__init__(core, frontend_port)
        self._factors = FactorRoutes(core, frontend_port)
        self._sso = SsoRoutes(core, frontend_port)
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            self._app = self._build()
        await self._app(scope, receive, send)

    def _build(self) -> ASGIApp:
        limits = AddressLimits(self._core().settings)
        limited: list[LimitedHandler] = [
            (self.sign_in, "30/minute", "/sign-in"),
            (self.sign_up, "10/minute", "/sign-up"),
            (self.sign_out, "60/minute", "/sign-in"),
            (self.setup, "20/minute", "/setup"),
            (self.invite, "20/minute", "/invite"),
            (self.reset, "20/minute", "/reset"),
            (self.forgot, "10/minute", "/forgot"),
            (self.change_password, "20/minute", "/account"),
            *self._factors.limited(),
        ]
        routes = []
        for handler, limit, page in limited:
            name = handler.__name__.replace("_", "-")
            answered = self._answered(limits.limited(handler, limit), page)
            routes.append(Route(f"{PREFIX}/{name}", answered, methods=["POST"]))
        routes += self._sso.routes(limits)
        app = Starlette(routes=routes, exception_handlers={HTTPException: no_route})
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

    async def forgot(self, request: Request) -> Response:
        """`email`: a reset link by mail, to whoever has an account; the answer is the same to all."""
        fields = await read_fields(request)
        await self._core().accounts.forgotten.ask(fields.required("email"), self._browser(request))
        return self._done(request, "/forgot?sent=yes", {"next": "/forgot?sent=yes"})

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
        """No fields are needed; signing out twice is not a mistake. What single sign-on opened is closed there too,
        where a script goes on to: no form may be led to another site."""
        cookie = self._cookie(request)
        leaving = None if is_form(request) else await self._core().sso.sign_in.leaving.begin(cookie)
        await self._core().accounts.sign_out(cookie)
        response = self._done(
            request, "/sign-in", {"signed_out": True, **({"next": leaving.location} if leaving else {})}
        )
        if leaving is not None:
            response.headers.append("set-cookie", self._away(request, leaving.cookie))
        response.headers.append("set-cookie", clear_session_cookie(is_https=self._is_https(request)))
        if OPENED_BY in request.cookies:
            line = set_opened_by("", is_https=self._is_https(request), max_age_seconds=0)
            response.headers.append("set-cookie", line)
        return response
