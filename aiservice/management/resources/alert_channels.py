"""Channels of alerts: e-mail and signed webhooks. A webhook's secret is told once. For admins."""

from typing import Literal

from pydantic import Field, model_validator

from aiservice.errors import NotFound
from aiservice.kit.clock import iso
from aiservice.kit.secret import Secret
from aiservice.management.models import At, Given, Name, Names, Page, PageQuery, Told, at
from aiservice.management.paging import page_of
from aiservice.management.resources.alerts import SeverityName, SeverityTold
from aiservice.management.rows import Call, Row
from aiservice.services.alert_channels import MAX_OVERLAP_SECONDS, OVERLAP_SECONDS, ChannelView
from aiservice.services.alert_notes import Severity


class NewChannel(Given):
    """Of `email` and `webhook`, one."""

    name: Name
    email: Names | None = Field(default=None, description="Addresses, `admins`, or `owner` of the client concerned.")
    webhook: str | None = Field(default=None, max_length=2_000, description="A URL that takes Standard Webhooks.")
    secret: str | None = Field(default=None, max_length=200, repr=False, description="whsec_…; null makes one.")
    allow_private: bool = False
    severity: SeverityName = "warning"

    @model_validator(mode="after")
    def _one_kind(self) -> "NewChannel":
        if (self.email is None) is (self.webhook is None):
            raise ValueError("Say one of email and webhook")
        return self


class ChannelSwitch(Given):
    disabled: bool


class ChannelSecretRoll(Given):
    secret: str | None = Field(default=None, max_length=200, repr=False, description="whsec_…; null makes one.")
    overlap_seconds: int = Field(default=OVERLAP_SECONDS, ge=0, le=MAX_OVERLAP_SECONDS)


class ChannelTold(Told):
    id: str
    name: str
    kind: str
    address: str
    allow_private: bool
    severity: SeverityTold
    disabled: bool
    disabled_because: str | None
    delivered_at: At | None
    created_at: At


class ChannelMade(ChannelTold):
    """With a webhook's new secret. A replay of the call that made it holds none."""

    secret: str | None = Field(description="Told once.")
    already_issued: bool = False


class ChannelTestTold(Told):
    delivered: bool
    result: Literal["delivered", "failed", "gone", "dropped"]
    words: str
    status: int | None
    ms: int


async def list_all(call: Call, query: PageQuery) -> Page[ChannelTold]:
    found = await call.core.alerts.channels.list(call.me)
    data, cursor = page_of(found, lambda one: (one.name, one.id), query, "channels")
    return Page[ChannelTold](data=[_told(one) for one in data], next_cursor=cursor)


async def add(call: Call, given: NewChannel) -> ChannelMade:
    channels, least = call.core.alerts.channels, Severity[given.severity.upper()]
    if given.webhook is None:
        return _made(await channels.add_email(call.me, given.name, given.email or [], least), None)
    secret = None if given.secret is None else Secret(given.secret)
    view, made = await channels.add_webhook(
        call.me, given.name, given.webhook, secret, is_private_allowed=given.allow_private, min_severity=least
    )
    return _made(view, made if secret is None else None)


async def get(call: Call) -> ChannelTold:
    for one in await call.core.alerts.channels.list(call.me):
        if call.args["channel"] in (one.id, one.name):
            return _told(one)
    raise NotFound(f"There is no channel '{call.args['channel'][:60]}'.", code="channel_not_found")


async def switch(call: Call, given: ChannelSwitch) -> ChannelTold:
    channels = call.core.alerts.channels
    return _told(await (channels.disable if given.disabled else channels.enable)(call.me, call.args["channel"]))


async def remove(call: Call) -> None:
    await call.core.alerts.channels.remove(call.me, call.args["channel"])


async def roll_secret(call: Call, given: ChannelSecretRoll) -> ChannelMade:
    secret = None if given.secret is None else Secret(given.secret)
    view, made = await call.core.alerts.channels.roll_secret(
        call.me, call.args["channel"], secret, given.overlap_seconds
    )
    return _made(view, made if secret is None else None)


async def test(call: Call) -> ChannelTestTold:
    found = await call.core.alerts.test(call.me, call.args["channel"])
    return ChannelTestTold(
        delivered=found.is_delivered, result=found.result, words=found.words, status=found.status, ms=found.ms
    )


def _made(one: ChannelView, secret: Secret | None) -> ChannelMade:
    return ChannelMade(**_told(one).model_dump(), secret=None if secret is None else secret.reveal_text())


def _told(one: ChannelView) -> ChannelTold:
    return ChannelTold(
        id=one.id,
        name=one.name,
        kind=one.kind,
        address=one.address,
        allow_private=one.is_private_allowed,
        severity=one.min_severity.name.lower(),
        disabled=one.is_disabled,
        disabled_because=one.disabled_why or None,
        delivered_at=iso(one.delivered_us),
        created_at=at(one.created_us),
    )


_ONE = "/api/alert-channels/{channel}"
ROWS = (
    Row("GET", "/api/alert-channels", "alert_channel.list", list_all, "All channels, by name"),
    Row("POST", "/api/alert-channels", "alert_channel.add", add, "Add a channel", status=201, secrets=("secret",)),
    Row("GET", _ONE, "alert_channel.list", get, "One channel, by id or name"),
    Row("PATCH", _ONE, "alert_channel.switch", switch, "Take a channel out of use, or into it"),
    Row("DELETE", _ONE, "alert_channel.remove", remove, "Remove a channel and its secret", status=204),
    Row(
        "POST",
        f"{_ONE}/roll-secret",
        "alert_channel.roll_secret",
        roll_secret,
        "Give a webhook a new secret",
        secrets=("secret",),
    ),
    Row("POST", f"{_ONE}/test", "alert_channel.test", test, "Send a test message now"),
)
