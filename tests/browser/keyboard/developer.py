"""What a developer does, a function each; every one ends when the page shows that it is done."""

import re

from playwright.sync_api import Locator, expect

from tests.browser.keyboard.hands import Hands
from tests.browser.test_walk import PASSWORD


def sign_in(hands: Hands, email: str, password: str = PASSWORD) -> None:
    hands.fill("E-mail", email)
    hands.fill("Password", password)
    hands.press("Enter")
    hands.page.wait_for_url(re.compile(r"/$"))


def first_call(hands: Hands) -> None:
    hands.go("First call")
    hands.button("Copy key")  # a key is made on the way; whoever leaves without it is asked
    hands.button("Run it here")
    expect(hands.page.get_by_role("link", name="See its trace")).to_be_visible()


def create_a_key(hands: Hands) -> None:
    hands.press("Control+k")
    hands.write("create a key")
    hands.press("Enter")
    hands.fill("Name", "By keys", hands.dialog)
    hands.press("Enter")
    hands.keep_secret()
    hands.told("By keys")


def edit_a_key(hands: Hands) -> None:
    hands.act(row(hands, "By keys").get_by_role("button", name="Edit"))
    hands.fill("May", "read", hands.dialog)
    hands.button("Save", hands.dialog)
    hands.told("reads only")


def roll_a_key(hands: Hands) -> None:
    hands.act(row(hands, "By keys").get_by_role("button", name="Roll"))
    hands.button("Roll", hands.dialog)
    hands.keep_secret()
    hands.told(re.compile("the old secret works until"))
    hands.act(row(hands, "By keys").get_by_role("button", name="End overlap"))
    hands.confirm("End it")


def revoke_a_key(hands: Hands) -> None:
    hands.act(row(hands, "By keys").get_by_role("button", name="Revoke"))
    hands.confirm("Revoke")
    expect(row(hands, "By keys").get_by_text("revoked")).to_be_visible()


def find_a_key(hands: Hands) -> None:
    hands.fill("Search", "By keys")
    hands.press("Enter")
    hands.page.wait_for_url(re.compile(r"\?q=By"))
    expect(hands.page.locator("tbody tr")).to_have_count(1)


def row(hands: Hands, words: str) -> Locator:
    return hands.page.locator("tbody tr", has_text=words).first


def order_preferences(hands: Hands) -> None:
    """A chain of two, turned round, reviewed, saved; then one is taken out, and the first version is gone back to."""
    hands.go("Preferences")
    hands.choose("Task", "Chat")
    for name in ("mock", "sandbox"):
        hands.choose("Connection", name)
        hands.button("Add to the chain")
        expect(hands.page.get_by_role("button", name=f"Remove {name}")).to_be_visible()
    hands.button("Move sandbox up")
    expect(hands.page.get_by_role("button", name="Move sandbox down")).to_be_focused()
    save_preferences(hands, "sandbox first, then mock")


def save_preferences(hands: Hands, words: str) -> None:
    hands.button("Review the draft")
    expect(hands.page.get_by_role("heading", name="The draft")).to_be_visible()
    hands.button("Save")
    hands.told(re.compile(f"Saved. Chat goes to {words}"))


def revert_preferences(hands: Hands) -> None:
    hands.button("Remove sandbox")
    save_preferences(hands, "mock first")
    hands.button(re.compile("^Go back to this, version"))
    hands.confirm("Go back")
    hands.told(re.compile("Gone back to version"))


def playground(hands: Hands) -> None:
    hands.go("Playground")
    hands.fill("What is asked", "Write a haiku about keys")
    hands.press("Control+Enter")
    hands.told("In all")
    hands.told("Why it went there")
    hands.button("Get the code")
    expect(hands.page.get_by_role("tab").first).to_be_visible()
    hands.reach(hands.page.get_by_role("tab", selected=True))
    hands.press("ArrowRight")
    hands.button("Copy")
    expect(hands.page.get_by_role("button", name="Copied")).to_be_visible()


def usage(hands: Hands) -> None:
    hands.go("Usage")
    hands.button("24 hours")
    hands.page.wait_for_url(re.compile("range=24h"))
    hands.choose("Measure", "Tokens")
    hands.choose("Group by", "Model")
    hands.page.wait_for_url(re.compile("by=model"))
    hands.button("Compare with the period before")
    hands.page.wait_for_url(re.compile("compare=1"))
    hands.act(hands.page.get_by_text("The chart's figures as a table"))
    expect(hands.page.get_by_role("table").first).to_be_visible()
    download(hands, "Download CSV")
    hands.link("Back to the default")


def download(hands: Hands, name: str) -> None:
    hands.reach(hands.page.get_by_role("link", name=name))
    with hands.page.expect_download() as caught:
        hands.press("Enter")
    assert caught.value.path().stat().st_size > 0


def requests(hands: Hands) -> None:
    """Narrowed by a bar and by a select, opened beside the list, walked through, copied, replayed."""
    hands.go("Requests")
    hands.choose("Status", "200")
    hands.page.wait_for_url(re.compile("status=200"))
    download(hands, "Download CSV")
    hands.act(hands.page.locator("tbody tr").first.get_by_role("link"))
    expect(hands.dialog.get_by_role("heading", name="What is known of it")).to_be_visible()
    first = hands.page.url
    hands.press("j")
    hands.page.wait_for_function("(before) => location.href !== before", arg=first)
    hands.press("k")
    hands.page.wait_for_url(first)
    expect(hands.dialog.get_by_role("heading", name="What is known of it")).to_be_visible()
    hands.button("Copy as curl", hands.dialog)
    expect(hands.dialog.get_by_role("button", name="Copied")).to_be_visible()
    hands.press("Escape")
    expect(hands.page.locator("dialog[open]")).to_have_count(0)
    expect(hands.page.locator("tbody tr").first.get_by_role("link")).to_be_focused()


def replay(hands: Hands) -> None:
    hands.press("Enter")
    hands.link("Its own page", hands.dialog)
    hands.page.wait_for_url(re.compile(r"/requests/req_"))
    hands.link("Replay in the playground")
    hands.page.wait_for_url(re.compile("/playground"))
    expect(hands.page.get_by_label("What is asked")).to_be_visible()


def narrow_by_a_bar(hands: Hands) -> None:
    hands.go("Requests")
    hands.reach(hands.page.get_by_role("slider", name="Requests over time"))
    hands.press("ArrowLeft")
    hands.press("End")
    hands.press("Enter")
    hands.page.wait_for_url(re.compile("from="))
    hands.link("Clear all")


def limits(hands: Hands) -> None:
    hands.go("Limits")
    hands.fill("At most", "600")
    hands.press("Enter")
    clear = hands.page.get_by_role("button", name=re.compile("^Clear .* of "))
    expect(clear.first).to_be_visible()
    hands.act(clear.first)
    hands.confirm("Take it away")
    hands.told("No limits")


def budgets(hands: Hands) -> None:
    hands.go("Budgets")
    hands.fill("Amount", "25")
    hands.button("Set budget")
    hands.told(re.compile("may now spend"))
    hands.button("Clear", exact=False)
    hands.dialog.wait_for()
    hands.confirm("Clear it")


def docs(hands: Hands) -> None:
    """By its two letters, and back."""
    hands.press("g")
    hands.press("d")
    hands.page.wait_for_url(re.compile("/docs/"))
    hands.press("/")
    hands.write("client_rpm")
    hands.press("Enter")
    hands.link("client_rpm_exceeded")
    expect(hands.page.get_by_role("heading", name="What to do")).to_be_visible()
    hands.press("Alt+ArrowLeft", 3)
    expect(hands.page.get_by_role("link", name="Skip to content")).to_be_attached()


def sign_out(hands: Hands) -> None:
    hands.button("Sign out")
    hands.page.wait_for_url(re.compile("/sign-in"))
