"""The forms about one's own second factors, and an admin's about somebody's: secrets and recovery codes go from the
answer to the screen, once.
"""

from typing import Any

from aiservice.portal.session.bodies import Fields
from aiservice.principal import Person
from aiservice.services.core import Core
from aiservice.services.factor_making import AppSetUp
from aiservice.services.passkey_site import passkey_site

Answer = dict[str, Any]


def app_set_up(begun: AppSetUp) -> Answer:
    """What an authenticator app is told, for the screen."""
    return {"app_secret": begun.secret, "uri": begun.uri, "qr_path": begun.qr_path, "qr_size": begun.qr_size}


async def begin_app(core: Core, person: Person, _fields: Fields) -> Answer:
    """A secret for an authenticator app."""
    return app_set_up(await core.accounts.factors.begin_app(person))


async def prove_app(core: Core, person: Person, fields: Fields) -> Answer:
    """`code`: makes the app count; `codes` are recovery codes, where there were none."""
    return {"codes": await core.accounts.factors.prove_app(person, fields.required("code"))}


async def remove_app(core: Core, person: Person, _fields: Fields) -> Answer:
    await core.accounts.factors.remove_app(person)
    return {}


async def new_codes(core: Core, person: Person, _fields: Fields) -> Answer:
    """Ten new recovery codes; the ones before are worth nothing."""
    return {"codes": await core.accounts.factors.new_recovery_codes(person)}


async def ask_new_passkey(core: Core, person: Person, fields: Fields) -> Answer:
    """What the browser is to make a passkey with."""
    return await core.accounts.factors.begin_passkey(person, passkey_site(fields.origin, core.settings))


async def add_passkey(core: Core, person: Person, fields: Fields) -> Answer:
    """`name`, `credential` (the browser's answer, as JSON text); `codes` as `prove_app`."""
    name, credential = fields.required("name"), fields.required("credential")
    site = passkey_site(fields.origin, core.settings)
    return {"codes": await core.accounts.factors.add_passkey(person, name, credential, site)}


async def rename_passkey(core: Core, person: Person, fields: Fields) -> Answer:
    """`id`, `name`."""
    await core.accounts.factors.rename_passkey(person, fields.required("id"), fields.required("name"))
    return {"id": fields.required("id")}


async def remove_passkey(core: Core, person: Person, fields: Fields) -> Answer:
    """`id`."""
    await core.accounts.factors.remove_passkey(person, fields.required("id"))
    return {}


async def ask_passkey(core: Core, person: Person, fields: Fields) -> Answer:
    """What the browser is to ask a passkey, to say again who is there."""
    return await core.accounts.confirming.ask_passkey(person, passkey_site(fields.origin, core.settings))


async def show_passkey(core: Core, person: Person, fields: Fields) -> Answer:
    """`credential`: said again, for what is asked of the person next."""
    site = passkey_site(fields.origin, core.settings)
    await core.accounts.confirming.show_passkey(person, fields.required("credential"), site)
    return {}


async def set_rule(core: Core, person: Person, fields: Fields) -> Answer:
    """`second_factor`: of whom one is asked."""
    await core.accounts.factors.set_rule(person, fields.required("second_factor"))
    return {}


ACTIONS = {
    "/confirm/ask-passkey": ("account.confirm", ask_passkey),
    "/confirm/passkey": ("account.confirm", show_passkey),
    "/factors/app": ("factor.change", begin_app),
    "/factors/app/prove": ("factor.change", prove_app),
    "/factors/app/remove": ("factor.change", remove_app),
    "/factors/codes": ("factor.change", new_codes),
    "/factors/passkeys": ("factor.change", add_passkey),
    "/factors/passkeys/ask": ("factor.change", ask_new_passkey),
    "/factors/passkeys/remove": ("factor.change", remove_passkey),
    "/factors/passkeys/rename": ("factor.change", rename_passkey),
    "/factors/rule": ("sign_in.rule", set_rule),
}
