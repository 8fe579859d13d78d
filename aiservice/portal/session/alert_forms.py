"""The forms of alert channels and rules: a webhook's secret goes from the answer to the screen, once."""

import math
from typing import Any

from aiservice.errors import InvalidRequest, Unprocessable
from aiservice.kit.durations import parse_duration
from aiservice.kit.secret import Secret
from aiservice.portal.session.bodies import Fields
from aiservice.principal import Person
from aiservice.services.alert_channels import ChannelView
from aiservice.services.alert_notes import Severity
from aiservice.services.alert_rules import RuleTerms
from aiservice.services.core import Core

Answer = dict[str, Any]
_ONCE = "The receiver checks every message with it (Standard Webhooks). This is the only time it is shown."


async def add_channel(core: Core, person: Person, fields: Fields) -> Answer:
    """`kind`, `name`, `address`, `severity`, `allow_private`, `secret`: a webhook answers its secret if it was made."""
    channels, name, address = core.alerts.channels, fields.required("name"), fields.required("address")
    least = _severity(fields.required("severity"))
    if fields.required("kind") == "email":
        return {"id": (await channels.add_email(person, name, address.split(","), least)).id}
    given = fields.optional("secret").strip()
    view, secret = await channels.add_webhook(
        person,
        name,
        address,
        Secret(given) if given else None,
        is_private_allowed=fields.optional("allow_private") == "true",
        min_severity=least,
    )
    return {"id": view.id} if given else _shown_once(view, secret)


async def roll_secret(core: Core, person: Person, fields: Fields) -> Answer:
    """`id`, `overlap`: a new secret beside the old one."""
    overlap = _seconds(fields, "overlap")
    return _shown_once(*await core.alerts.channels.roll_secret(person, fields.required("id"), None, overlap))


async def set_rule(core: Core, person: Person, fields: Fields) -> Answer:
    """`name` (of a new rule, or the id of one), `metric`, `direction`, `threshold`, `scope`, `subject`, `window`,
    `for`, `no_data`, `severity`, `channels`."""
    named = [name.strip() for name in fields.optional("channels").split(",") if name.strip()]
    terms = RuleTerms(
        metric=fields.required("metric"),
        threshold=_number(fields.required("threshold")),
        is_below=fields.required("direction") == "below",
        scope=fields.required("scope"),
        subject=fields.optional("subject"),
        window_seconds=_seconds(fields, "window"),
        for_seconds=_seconds(fields, "for"),
        no_data=fields.required("no_data"),
        severity=_severity(fields.required("severity")),
        channels=tuple(named) or None,
    )
    return {"id": (await core.alerts.rules.set(person, fields.required("name"), terms)).id}


def _shown_once(view: ChannelView, secret: Secret) -> Answer:
    about = {"title": f"Copy the secret of '{view.name}' now", "text": _ONCE, "copy": "Copy secret"}
    return {"id": view.id, "name": view.name, "secret": secret.reveal_text(), "about": about}


def _severity(text: str) -> Severity:
    try:
        return Severity[text.upper()]
    except KeyError:
        raise InvalidRequest("'severity' must be info, warning or critical.", param="severity") from None


def _seconds(fields: Fields, name: str) -> int:
    try:
        return parse_duration(fields.required(name))
    except ValueError as error:
        raise Unprocessable(str(error), param=name) from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Unprocessable("The threshold is a number, such as 20 or 0.5.", param="threshold")
    return number
