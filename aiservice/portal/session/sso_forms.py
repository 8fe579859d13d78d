"""The forms about single sign-on: a client secret goes from the form to the vault, and is never in a page's state."""

import re
from typing import Any, cast

from aiservice.kit.secret import Secret
from aiservice.portal.session.bodies import Fields
from aiservice.principal import Person
from aiservice.services.core import Core
from aiservice.services.sso_terms import Edit

Answer = dict[str, Any]
_TEXTS = ("label", "client_id", "scopes", "role_claim")
_LISTS = ("domains", "admin_groups", "developer_groups")
_BOXES = ("makes_accounts", "trusts_addresses", "asks_second_factor", "is_private_allowed")


async def add(core: Core, person: Person, fields: Fields) -> Answer:
    """`name`, `issuer`, `client_secret` (empty: a public client) and the terms."""
    text = fields.optional("client_secret").strip()
    secret = Secret(text) if text else None
    made = await core.sso.add(
        person, fields.required("name").strip(), fields.required("issuer"), secret, **_edit(fields)
    )
    return {"id": made.id}


async def change(core: Core, person: Person, fields: Fields) -> Answer:
    """`id` and the terms; the client secret too, where one is typed."""
    made = await core.sso.change(person, fields.required("id"), **_edit(fields))
    if text := fields.optional("client_secret").strip():
        await core.sso.set_secret(person, made.id, Secret(text))
    return {"id": made.id}


def _edit(fields: Fields) -> Edit:
    """What the form says: a list is a text of lines or commas, a box "true" or nothing."""
    edit: dict[str, object] = {name: fields.values[name] for name in _TEXTS if fields.optional(name)}
    if "role_claim" in fields.values:
        edit["role_claim"] = fields.values["role_claim"]
    edit |= {name: re.split(r"[\n,]", fields.values[name]) for name in _LISTS if name in fields.values}
    edit |= {name: fields.values[name] == "true" for name in _BOXES if name in fields.values}
    return cast(Edit, edit)


ACTIONS = {
    "/sso": ("sso.change", add),
    "/sso/change": ("sso.change", change),
}
