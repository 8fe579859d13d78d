"""The form that makes a key: a name, and what it may be bounded by."""

from aiservice.errors import BrokerError, InvalidRequest
from aiservice.kit.durations import parse_duration
from aiservice.portal.session.bodies import Fields
from aiservice.principal import Person
from aiservice.services.budget_terms import Terms, nano_of
from aiservice.services.core import Core
from aiservice.services.keys import NewKey

_LIMITS = {"rpm": "requests/minute", "tpm": "tokens/minute", "concurrency": "concurrency"}


async def new_key(core: Core, person: Person, fields: Fields) -> NewKey:
    """Makes the key of a form: `name`, and if they are there: `client` (else the person's own), `expires_in` ("30d"; ""
    is as the policy has it), `is_test`, `is_decoy`, `retrievable` ("true", or left to the policy); `allow_ip`, `scopes`
    or in their place `tasks`, `connections`, `models` (separated by spaces, commas or lines; "" is all); `rpm`, `tpm`,
    `concurrency`; `budget` (USD) in each `budget_period`.

    Raises:
        BrokerError: as making a key and setting a budget do; where the budget is refused, there is no key either.
    """
    budget = fields.optional("budget").strip()
    terms = Terms("money", fields.optional("budget_period") or "month", nano_of(budget)) if budget else None
    client = fields.optional("client") or (await core.clients.personal(person)).id
    key = await core.keys.create(
        person,
        client,
        fields.required("name"),
        is_test=fields.optional("is_test") == "true",
        is_decoy=fields.optional("is_decoy") == "true",
        is_retrievable=fields.values["retrievable"] == "true" if "retrievable" in fields.values else None,
        expires_in_seconds=_seconds(fields),
        limits=_limits(fields),
        networks=names_in(fields.optional("allow_ip")),
        scopes=names_in(fields.optional("tasks")) or names_in(fields.optional("scopes")),
        connections=names_in(fields.optional("connections")),
        models=names_in(fields.optional("models")),
    )
    if terms is not None:
        try:
            await core.budgets.set(person, "key", key.id, terms)
        except BrokerError:
            await core.keys.revoke(person, key.id)  # nobody has seen it
            raise
    return key


def names_in(text: str) -> list[str] | None:
    """What somebody wrote into a field for several; None where that is nothing."""
    return text.replace(",", " ").split() or None


def _seconds(fields: Fields) -> float | None:
    text = fields.optional("expires_in") or fields.optional("expires_in_days")
    if not text:
        return None
    try:
        return float(parse_duration(f"{text}d" if text.isdecimal() else text))
    except ValueError as exc:
        raise InvalidRequest(str(exc), param="expires_in") from None


def _limits(fields: Fields) -> dict[str, int] | None:
    found: dict[str, int] = {}
    for name, limit in _LIMITS.items():
        text = fields.optional(name).strip().replace(",", "")
        if text and not (text.isascii() and text.isdecimal() and len(text) <= 13):
            raise InvalidRequest("A limit is a whole number, such as 600.", param=name)
        if text:
            found[limit] = int(text)
    return found or None
