"""The pages of preferences and aliases over a bare socket: what they refuse, and whom."""

import secrets
from typing import Any

import pytest

from tests.portal.server import Attacker, PortalServer
from tests.portal.test_rights import named

pytestmark = pytest.mark.process
FORM = dict.fromkeys(
    (
        *(
            "only",
            "ignore",
            "sort",
            "strategy",
            "fallbacks",
            "prompt",
            "completion",
            "request",
            "latency",
            "throughput",
            "floor",
        ),
        *("data_collection", "zdr", "regions", "parameters", "asked"),
    ),
    "",
)


async def notice_after(tab: Attacker, event: str, payload: dict[str, Any], path: str = "/preferences") -> str:
    """What the page says after an event on it."""
    await tab.send(named(event), payload, path=path)
    return str(tab.var("session_state", "notice"))


def developer(portal: PortalServer) -> str:
    return portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True)


async def test_t57_a_developer_neither_sees_nor_changes_what_is_others(portal: PortalServer) -> None:
    async with Attacker(portal, cookie=developer(portal)) as tab:
        await tab.hydrate("/preferences")
        for scope in ("client:cli_none", "team:tea_none", "key:key_none"):
            told = await notice_after(tab, "preferences_state.choose_scope", {"scope": scope})
            assert "There is no" in told
        assert "no version" in await notice_after(tab, "preferences_state.revert", {"number": 1})
        assert (
            await notice_after(tab, "preferences_state.test", {"entry": "sandbox"})
            == "Only an admin may test provider connections."
        )
        await tab.send(named("preferences_state.choose_scope"), {"scope": "platform"}, path="/preferences")
        for event, payload in (("review", {"form": FORM}), ("clear", {})):
            assert "Only an admin may" in await notice_after(tab, f"preferences_state.{event}", payload)
        form = {"scope": "platform", "name": "fast-chat", "to": "sandbox"}
        assert "Only an admin" in await notice_after(tab, "aliases_state.set_alias", {"form": form}, "/aliases")


async def test_a_draft_is_saved_only_after_its_review_and_only_as_reviewed(portal: PortalServer) -> None:
    async with Attacker(portal, cookie=developer(portal)) as tab:
        await tab.hydrate("/preferences")
        await tab.send(named("preferences_state.load"), path="/preferences")
        entry = {"connection": "sandbox", "model": ""}
        await tab.send(named("preferences_state.add"), {"form": entry}, path="/preferences")
        assert "Review the draft" in await notice_after(tab, "preferences_state.save", {})
        await tab.send(named("preferences_state.review"), {"form": {**FORM, "prompt": "3"}}, path="/preferences")
        assert [row["connection"] for row in tab.var("preferences_state", "places")] == ["sandbox"]
        told = await notice_after(tab, "preferences_state.save", {})
        assert told.startswith("Saved. Any request goes to sandbox first; at most $3 per million tokens in.")
        assert tab.var("preferences_state", "versions")[0]["is_current"] is True


async def test_what_cannot_be_read_is_said(portal: PortalServer) -> None:
    async with Attacker(portal, cookie=developer(portal)) as tab:
        await tab.hydrate("/preferences")
        await tab.send(named("preferences_state.load"), path="/preferences")
        for field, text, words in (
            ("prompt", "cheap", "amount in USD"),
            ("latency", "soon", "is a number"),
            ("only", "sandbx", "Did you mean 'sandbox'"),
            ("sort", "colour", "price, latency, throughput"),
        ):
            told = await notice_after(tab, "preferences_state.review", {"form": {**FORM, field: text}})
            assert words in told, (field, told)


async def test_the_chain_is_put_in_any_order_and_nothing_else(portal: PortalServer) -> None:
    async with Attacker(portal, cookie=developer(portal)) as tab:
        await tab.hydrate("/preferences")
        await tab.send(named("preferences_state.load"), path="/preferences")
        for model in ("a", "b", "c"):
            form = {"connection": "sandbox", "model": model}
            await tab.send(named("preferences_state.add"), {"form": form}, path="/preferences")
        for index, to, order in ((0, 2, "bca"), (2, 0, "abc"), (0, 3, "abc"), (-1, 0, "abc"), (1, 1, "abc")):
            await tab.send(named("preferences_state.move_to"), {"index": index, "to": to}, path="/preferences")
            assert tab.var("preferences_state", "draft") == [f"sandbox:{letter}" for letter in order]


async def test_whose_and_which_task_stand_in_the_address(portal: PortalServer) -> None:
    async with Attacker(portal, cookie=developer(portal)) as tab:
        await tab.hydrate("/preferences?scope=platform&task=chat")
        assert (tab.var("preferences_state", "scope"), tab.var("preferences_state", "task")) == ("platform", "chat")
        await tab.send(named("preferences_state.choose_task"), {"task": "*"}, path="/preferences")
        assert tab.redirects()[-1] == "/preferences?scope=platform"
        await tab.hydrate("/preferences?scope=client:cli_of_others&task=no-such-task")
        assert tab.var("preferences_state", "scope").startswith("client:")
        assert tab.var("preferences_state", "scope") != "client:cli_of_others"
        assert tab.var("preferences_state", "task") == "*"
