"""What the command palette finds on the server, as links."""

from urllib.parse import quote

import reflex as rx

from aiservice.portal.session.guard import handler, signed_in
from aiservice.services.core import current_core
from aiservice.services.finding import Found, find
from aiservice.services.rights import may

_KINDS = {"request": "Request", "key": "Key", "client": "Client", "person": "Person", "connection": "Provider"}
_WAYS = {
    "request": "/requests/{id}",
    "key": "/keys?q={name}",
    "client": "/clients?q={name}",
    "person": "/users?q={name}",
    "connection": "/requests?provider={name}",
}

# The page of clients is an admin's.
_DEVELOPERS_WAYS = {"client": "/requests?client={id}"}


class FindState(rx.State):
    """What was found last, and for which text: an answer that comes late is for another one."""

    found: list[dict[str, str]] = []
    found_for: str = ""

    @handler("find.any")
    async def find(self, text: str) -> None:
        found = await find(current_core().db, signed_in(), text)
        ways = _WAYS if may(signed_in(), "client.change") else _WAYS | _DEVELOPERS_WAYS
        self.found = [_link(one, ways[one.kind]) for one in found]
        self.found_for = text


def _link(one: Found, way: str) -> dict[str, str]:
    to = way.format(id=quote(one.id, safe=""), name=quote(one.name, safe=""))
    hint = f"{_KINDS[one.kind]} · {one.of}" if one.of else _KINDS[one.kind]
    return {"kind": "Found", "title": one.name or one.id, "hint": hint, "to": to}
