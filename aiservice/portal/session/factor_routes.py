"""The routes of a sign-in's second step, and of a passkey alone. None knows Reflex: a ticket is a cookie that no script
can read, and a passkey's answer goes from the browser straight to the service.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aiservice.kit.passkeys import Site
from aiservice.portal.session.answers import Answering, LimitedHandler
from aiservice.portal.session.bodies import Fields, read_fields
from aiservice.portal.session.factor_forms import app_set_up
from aiservice.services.passkey_site import passkey_site

_SHOW, _MAKE = "/second-factor", "/first-factor"


class FactorRoutes(Answering):
    """The routes, named as those of `AuthRoutes`. Each goes by the ticket in its cookie."""

    def limited(self) -> list[LimitedHandler]:
        """All of them."""
        return [
            (self.second_factor, "30/minute", _SHOW),
            (self.ask_second_passkey, "30/minute", _SHOW),
            (self.second_passkey, "30/minute", _SHOW),
            (self.ask_passkey, "30/minute", "/sign-in"),
            (self.passkey, "30/minute", "/sign-in"),
            (self.begin_first_app, "20/minute", _MAKE),
            (self.first_app, "30/minute", _MAKE),
            (self.ask_first_passkey, "20/minute", _MAKE),
            (self.first_passkey, "20/minute", _MAKE),
        ]

    async def second_factor(self, request: Request) -> Response:
        """`code` (of an app, or a recovery code), `next`."""
        fields = await read_fields(request)
        step, browser = self._core().accounts.second_step, self._browser(request)
        signed_in = await step.with_code(self._ticket(request), fields.required("code"), browser)
        return await self._welcome(request, fields, signed_in)

    async def ask_second_passkey(self, request: Request) -> Response:
        """What the browser is to ask one of the person's passkeys."""
        site = self._site(await read_fields(request))
        return JSONResponse(await self._core().accounts.second_step.ask_passkey(self._ticket(request), site))

    async def second_passkey(self, request: Request) -> Response:
        """`credential` (the browser's answer, as JSON text), `next`."""
        fields = await read_fields(request)
        credential, site = fields.required("credential"), self._site(fields)
        step, browser = self._core().accounts.second_step, self._browser(request)
        signed_in = await step.with_passkey(self._ticket(request), credential, site, browser)
        return await self._welcome(request, fields, signed_in)

    async def ask_passkey(self, request: Request) -> Response:
        """What the browser is to ask any passkey of this site, and a new ticket for its answer."""
        site = self._site(await read_fields(request))
        ticket, options = await self._core().accounts.second_step.ask_any_passkey(site)
        return self._with_ticket(request, JSONResponse(options), ticket)

    async def passkey(self, request: Request) -> Response:
        """`credential`, `next`: signs in whoever's passkey it is."""
        fields = await read_fields(request)
        credential, site = fields.required("credential"), self._site(fields)
        step, browser = self._core().accounts.second_step, self._browser(request)
        signed_in = await step.with_passkey_alone(self._ticket(request), credential, site, browser)
        return await self._welcome(request, fields, signed_in)

    async def begin_first_app(self, request: Request) -> Response:
        """A secret for the first authenticator app of somebody who must have a factor."""
        await read_fields(request)
        return JSONResponse(app_set_up(await self._core().accounts.first_factor.begin_app(self._ticket(request))))

    async def first_app(self, request: Request) -> Response:
        """`code`, `next`: signs in, with recovery codes to be shown now."""
        fields = await read_fields(request)
        first, browser = self._core().accounts.first_factor, self._browser(request)
        signed_in, codes = await first.prove_app(self._ticket(request), fields.required("code"), browser)
        return await self._welcome(request, fields, signed_in, codes=codes)

    async def ask_first_passkey(self, request: Request) -> Response:
        """What the browser is to make a first passkey with."""
        site = self._site(await read_fields(request))
        return JSONResponse(await self._core().accounts.first_factor.begin_passkey(self._ticket(request), site))

    async def first_passkey(self, request: Request) -> Response:
        """`name`, `credential`, `next`: as `first_app`."""
        fields = await read_fields(request)
        made = fields.required("name"), fields.required("credential")
        first, browser = self._core().accounts.first_factor, self._browser(request)
        signed_in, codes = await first.add_passkey(self._ticket(request), made, self._site(fields), browser)
        return await self._welcome(request, fields, signed_in, codes=codes)

    def _site(self, fields: Fields) -> Site:
        return passkey_site(fields.origin, self._core().settings)
