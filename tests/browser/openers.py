"""Dialogs that take more than a key to reach: a form that was refused, what a form gives back, a sheet over a list."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.test_walk import PASSWORD


def open_request(page: Page) -> None:
    page.locator("tbody tr").first.get_by_role("link").click()
    expect(page.locator("dialog[open]").get_by_role("heading", name="What is known of it")).to_be_visible()


def create_key(page: Page) -> None:
    page.get_by_role("button", name="Create key").first.click()


def create_bounded_key(page: Page) -> None:
    create_key(page)
    page.get_by_text("Limits, scope and expiry").first.click()
    expect(page.locator("dialog[open]").get_by_label("Only these tasks")).to_be_visible()


def roll_key(page: Page) -> None:
    page.get_by_role("button", name="Roll", exact=True).first.click()


def revoke_key(page: Page) -> None:
    page.get_by_role("button", name="Revoke", exact=True).first.click()


def edit_key(page: Page) -> None:
    page.get_by_role("button", name="Edit", exact=True).first.click()


def see_key_again(page: Page) -> None:
    create_key(page)
    form = page.locator("dialog[open]")
    form.get_by_label("Name").fill("Seen again")
    form.get_by_label("I can see it again").check()
    form.get_by_role("button", name="Create key").click()
    page.get_by_role("button", name="Copy key").click()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="See again").first.click()
    form = page.get_by_role("dialog", name="See Seen again again")
    form.get_by_label("Your password").fill(PASSWORD)
    form.get_by_role("button", name="Show the key").click()
    expect(page.get_by_role("dialog", name="The key 'Seen again'")).to_be_visible()


def end_overlap(page: Page) -> None:
    page.get_by_role("button", name="End overlap").first.click()


def add_provider(page: Page) -> None:
    page.get_by_role("button", name="Add provider").first.click()


def add_provider_of_aws(page: Page) -> None:
    add_provider(page)
    form = page.locator("dialog[open]")
    form.get_by_label("Kind").select_option("bedrock")
    expect(form.get_by_text("ACCESS_KEY_ID:SECRET_ACCESS_KEY")).to_be_visible()
    expect(form.get_by_text("bedrock-runtime.us-east-1.amazonaws.com")).to_be_visible()


def add_provider_refused(page: Page) -> None:
    add_provider(page)
    form = page.locator("dialog[open]")
    form.get_by_label("Name").fill("here")
    form.get_by_role("textbox", name="Address").fill("http://127.0.0.1:9/v1")
    form.get_by_role("button", name="Test and add").click()
    expect(form.get_by_role("alert")).to_be_visible()


def add_alert_rule(page: Page) -> None:
    page.get_by_role("button", name="Add rule").first.click()


def change_alert_rule(page: Page) -> None:
    page.get_by_role("button", name="Change").first.click()


def add_alert_channel(page: Page) -> None:
    page.get_by_role("button", name="Add channel").first.click()


def new_alert_secret(page: Page) -> None:
    page.get_by_role("button", name="New secret").first.click()


def open_connection(page: Page) -> None:
    page.get_by_role("link", name="mock", exact=True).click()
    expect(page.get_by_role("heading", name="Keys of mock")).to_be_visible()


def remove_provider(page: Page) -> None:
    open_connection(page)
    page.get_by_role("button", name="Remove this connection").click()


def add_provider_key(page: Page) -> None:
    open_connection(page)
    page.get_by_role("button", name="Add key").click()


def set_price(page: Page) -> None:
    page.get_by_role("button", name="Set price").first.click()


def new_client(page: Page) -> None:
    page.get_by_role("button", name="New client").click()


def disable_client(page: Page) -> None:
    page.get_by_role("link", name="second", exact=True).click()
    page.get_by_role("button", name="Disable", exact=True).click()


def set_provider_key(page: Page) -> None:
    page.get_by_role("button", name="Set key").first.click()


def state_data(page: Page) -> None:
    page.get_by_role("button", name="Data").first.click()


def clear_limit(page: Page) -> None:
    page.get_by_role("button", name="Clear").first.click()


def purge_answers(page: Page) -> None:
    page.get_by_role("button", name="Purge the answers").first.click()


def rename_team(page: Page) -> None:
    page.get_by_role("button", name="Rename").first.click()


def clear_chain(page: Page) -> None:
    page.get_by_label("Whose").select_option(label="Client second")  # something is stored there
    page.get_by_label("Task", exact=True).select_option("chat")
    page.get_by_role("button", name="Clear").first.click()


def invite(page: Page) -> None:
    page.get_by_label("E-mail").fill("new@example.test")
    page.get_by_role("button", name="Make an invitation link").click()


def reset_link(page: Page) -> None:
    page.get_by_role("button", name="Reset link").first.click()
    page.locator("dialog[open]").get_by_role("button", name="Make a reset link").click()
    expect(page.get_by_text("Copy the reset link")).to_be_visible()


def disable_user(page: Page) -> None:
    page.get_by_role("button", name="Disable").first.click()


def change_role(page: Page) -> None:
    page.get_by_role("button", name="Make admin").first.click()


def take_back(page: Page) -> None:
    page.get_by_role("button", name="Take back").first.click()


def clear_budget(page: Page) -> None:
    page.get_by_role("button", name="Clear").first.click()


def keep_bodies(page: Page) -> None:
    page.get_by_role("button", name="Keep", exact=True).first.click()


def destroy_bodies(page: Page) -> None:
    page.get_by_role("button", name="Destroy what is kept").first.click()


def reveal_key(page: Page) -> None:
    create_key(page)
    page.locator("dialog[open]").get_by_role("button", name="Create key").click()
    expect(page.get_by_role("dialog", name=re.compile("^Copy the key"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("You have not copied it yet")).to_be_visible()


def new_codes(page: Page) -> None:
    page.get_by_role("button", name="Make new codes").click()
    page.locator("button", has_text="Make new codes").click()
    expect(page.get_by_role("dialog", name="Save your recovery codes")).to_be_visible()


OPENERS: dict[str, list[tuple[str, Callable[[Page], None]]]] = {
    "keys": [("/requests", open_request), ("/keys", see_key_again), ("/keys", reveal_key), ("/account", new_codes)],
    "admin": [
        ("/providers", add_provider_of_aws),
        ("/providers", add_provider_refused),
        ("/users", invite),
        ("/users", reset_link),
    ],
}


DIALOGS: list[tuple[str, Callable[[Page], None]]] = [
    ("/requests", open_request),
    ("/keys", create_key),
    ("/keys", create_bounded_key),
    ("/keys", roll_key),
    ("/keys", edit_key),
    ("/keys", see_key_again),
    ("/keys", revoke_key),
    ("/keys", end_overlap),
    ("/keys", reveal_key),
    ("/providers", state_data),
    ("/limits", clear_limit),
    ("/budgets", clear_budget),
    ("/payloads", keep_bodies),
    ("/payloads", destroy_bodies),
    ("/cache", purge_answers),
    ("/teams", rename_team),
    ("/preferences", clear_chain),
    ("/alerts/rules", add_alert_rule),
    ("/alerts/rules", change_alert_rule),
    ("/alerts/channels", add_alert_channel),
    ("/alerts/channels", new_alert_secret),
    ("/providers", add_provider),
    ("/providers", add_provider_of_aws),
    ("/providers", add_provider_refused),
    ("/providers", remove_provider),
    ("/providers", set_provider_key),
    ("/providers", add_provider_key),
    ("/prices", set_price),
    ("/clients", new_client),
    ("/clients", disable_client),
    ("/users", invite),
    ("/users", reset_link),
    ("/users", disable_user),
    ("/users", change_role),
    ("/users", take_back),
]
