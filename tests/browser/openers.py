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


def invite(page: Page) -> None:
    page.get_by_role("textbox", name="E-mail").fill("new@example.test")
    page.get_by_role("button", name="Make an invitation link").click()


def reset_link(page: Page) -> None:
    page.get_by_role("button", name="Reset link").first.click()
    page.locator("dialog[open]").get_by_role("button", name="Make a reset link").click()
    expect(page.get_by_text("Copy the reset link")).to_be_visible()


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
