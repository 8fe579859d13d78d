"""Routes through which a secret passes: a key that is made or shown again here goes from the answer to the person's
screen (so do kept bodies), a provider's key from the form to the vault. None ever is part of a page's state, an event
or a log line.

Each takes a JSON post of texts from a page of this portal, by somebody signed in, and answers JSON that nobody keeps.
A field `password` is the person's own (or a code of their app), said again for acts that ask for it
(`services/step_up.py`).
"""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from aiservice.errors import (
    BrokerError,
    InternalFault,
    InvalidRequest,
)
from aiservice.kit.clock import iso
from aiservice.kit.ids import new_id
from aiservice.portal.session import alert_forms, connection_forms, factor_forms, key_forms, people_forms, sso_forms
from aiservice.portal.session.bodies import Fields, read_fields, receive_body
from aiservice.portal.session.caller import posting_person
from aiservice.principal import Person
from aiservice.services.core import Core
from aiservice.services.key_rights import Edit
from aiservice.services.keys import NewKey
from aiservice.services.playground import KEY_NAME as PLAYGROUND_KEY
from aiservice.services.rights import require

log = logging.getLogger(__name__)

PREFIX = "/auth/secrets"
SHOWN_SECONDS = 60
Answer = dict[str, Any]
Action = Callable[[Person, Fields], Awaitable[Answer]]

_ONCE = "This is the only time it is shown. We keep a keyed hash of it, not the key."


class SecretRoutes:
    """The actions. Every service checks for itself whether the person may do what is asked."""

    def __init__(self, core: Callable[[], Core]) -> None:
        self._core = core

    async def first_key(self, person: Person, fields: Fields) -> Answer:
        """The first key of the person's own client, made now; without `secret` when there was one before, unless
        `another` ("true") is asked for."""
        core = self._core()
        async with core.cluster.turn("first key"):  # two tabs opened at once make one
            client = await core.clients.personal(person)
            known = [key for key in await core.keys.list(person, client.id, limit=20) if key.name != PLAYGROUND_KEY]
            if known and fields.optional("another") != "true":
                return {}
            return _shown_once(await core.keys.create(person, client.id, "Another key" if known else "First key"))

    async def create_key(self, person: Person, fields: Fields) -> Answer:
        """See `key_forms.new_key`."""
        return _shown_once(await key_forms.new_key(self._core(), person, fields))

    async def reveal_key(self, person: Person, fields: Fields) -> Answer:
        """`id`: a key that can be shown again."""
        shown = await self._core().reveals.reveal(person, fields.required("id"))
        about = {
            "title": f"The key '{shown.name}'",
            "text": f"Shown for {SHOWN_SECONDS} seconds. That you looked is noted, and the admins see it.",
        }
        return {
            "id": shown.id,
            "name": shown.name,
            "client": shown.client,
            "secret": shown.key.reveal_text(),
            "shown_seconds": SHOWN_SECONDS,
            "about": about,
        }

    async def show_payload(self, person: Person, fields: Fields) -> Answer:
        """`id`: what was asked and answered in that request; `request` is missing where nothing is kept any more."""
        kept = await self._core().payloads.of(person, fields.required("id"))
        if kept is None:
            return {}
        return {
            "request": kept.request,
            "answer": kept.answer,
            "is_cut": kept.is_cut,
            "until": iso(kept.expires_us),
        }

    async def roll_key(self, person: Person, fields: Fields) -> Answer:
        """`id`, `overlap_seconds`."""
        overlap = _number("overlap_seconds", fields.required("overlap_seconds"))
        return _shown_once(await self._core().keys.roll(person, fields.required("id"), overlap))

    async def update_key(self, person: Person, fields: Fields) -> Answer:
        """`id`, `name`, `allow_ip`, `scopes`, `expires_in_days` ("keep" for no change, "" for never): no secret, but a
        form whose mistakes are told beside its fields."""
        edit = Edit(
            name=fields.required("name"),
            networks=key_forms.names_in(fields.required("allow_ip")),
            scopes=key_forms.names_in(fields.required("scopes")),
        )
        days = fields.optional("expires_in_days") if "expires_in_days" in fields.values else "keep"
        if days != "keep":
            edit["expires_in_seconds"] = _days(days)
        return {"id": (await self._core().keys.update(person, fields.required("id"), **edit)).id}


def _of_core(
    action: Callable[[Core, Person, Fields], Awaitable[Answer]],
) -> Callable[[SecretRoutes, Person, Fields], Awaitable[Answer]]:
    async def act(routes: SecretRoutes, person: Person, fields: Fields) -> Answer:
        return await action(routes._core(), person, fields)

    return act


ACTIONS: dict[str, tuple[str, Callable[[SecretRoutes, Person, Fields], Awaitable[Answer]]]] = {
    "/first-key": ("key.create", SecretRoutes.first_key),
    "/keys": ("key.create", SecretRoutes.create_key),
    "/keys/roll": ("key.roll", SecretRoutes.roll_key),
    "/keys/reveal": ("key.reveal", SecretRoutes.reveal_key),
    "/keys/update": ("key.change", SecretRoutes.update_key),
    "/payload": ("payload.read", SecretRoutes.show_payload),
    "/connections": ("connection.add", _of_core(connection_forms.add)),
    "/connections/import": ("environment_key.import", _of_core(connection_forms.import_from_environment)),
    "/connections/key": ("connection.set_key", _of_core(connection_forms.set_key)),
    "/connections/keys": ("provider_key.add", _of_core(connection_forms.add_key)),
    "/connections/keys/secret": ("provider_key.set_secret", _of_core(connection_forms.set_further_key)),
    "/alert-channels": ("alert_channel.add", _of_core(alert_forms.add_channel)),
    "/alert-channels/secret": ("alert_channel.roll_secret", _of_core(alert_forms.roll_secret)),
    "/alert-rules": ("alert_rule.set", _of_core(alert_forms.set_rule)),
    "/invite": ("person.invite", _of_core(people_forms.invite)),
    "/reset-link": ("person.reset_link", _of_core(people_forms.reset_link)),
    "/access-tokens": ("access_token.create", _of_core(people_forms.access_token)),
    "/confirm": ("account.confirm", _of_core(people_forms.confirm)),
    **{path: (action, _of_core(act)) for path, (action, act) in {**factor_forms.ACTIONS, **sso_forms.ACTIONS}.items()},
}
"""By path below `PREFIX`: the action in the table of rights, and what does it."""


def build(core: Callable[[], Core], *, beside: ASGIApp) -> ASGIApp:
    """The ASGI app for every path below `PREFIX`, given the scope as it came; `beside` gets all others."""
    actions = SecretRoutes(core)
    app = Starlette(
        routes=[
            Route(PREFIX + path, _answered(core, action, functools.partial(act, actions)), methods=["POST"])
            for path, (action, act) in ACTIONS.items()
        ]
    )
    app.router.redirect_slashes = False

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/")
        await (app if is_ours else beside)(scope, receive, send)

    return chosen


def _answered(core: Callable[[], Core], action: str, act: Action) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def answer(request: Request) -> JSONResponse:
        request_id = new_id("req")
        try:
            await receive_body(request)
            person = await posting_person(core(), request)
            require(person, action)
            fields = await read_fields(request)
            if fields.optional("password"):
                await core().accounts.confirm(person, fields.required("password"))
            body, status = await act(person, fields), 200
        except BrokerError as error:
            body, status = error.body(request_id), error.status
        except Exception:
            log.exception("A portal route failed.", extra={"request_id": request_id})
            fault = InternalFault()
            body, status = fault.body(request_id), fault.status
        return JSONResponse(body, status_code=status, headers={"cache-control": "no-store", "x-request-id": request_id})

    return answer


def _shown_once(key: NewKey) -> Answer:
    about = {"title": f"Copy the key '{key.name}' now", "text": _ONCE}
    return {"id": key.id, "name": key.name, "client": key.client, "secret": key.key.reveal_text(), "about": about}


def _days(text: str) -> float | None:
    return _number("expires_in_days", text) * 86_400 if text else None


def _number(param: str, text: str) -> float:
    if not text.isdecimal() or len(text) > 9:
        raise InvalidRequest(f"'{param}' must be a whole number.", param=param)
    return float(text)
