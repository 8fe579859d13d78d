"""First call, overview, playground, the palette: what a person does first."""

import re

from playwright.sync_api import expect

from tests.browser.test_first_day import see
from tests.browser.test_walk import clicks
from tests.browser.walk.walker import PASSWORD, Walker

SNIPPETS = ("curl", "Python openai", "Python anthropic", "JS", "AI SDK", "LangChain", "Claude Code", "Codex")
COPIED = ("curl", "Codex")
TURN_SECONDS = 2.0
NOWHERE = "/no-such-page"


def from_sign_in(walker: Walker) -> str:
    """From the sign-in page to an answer of one's own, counting every click; gives the key."""
    page = walker.page
    walker.go("/sign-in")
    page.get_by_label("E-mail").fill(walker.email)
    page.get_by_label("Password").fill(PASSWORD)
    walker.press("Sign in")
    walker.arrived("/")
    page.get_by_role("link", name="Make your first call").first.click()
    walker.arrived("/first-call")
    return first_call(walker, clicked=2)


def first_call(walker: Walker, *, clicked: int) -> str:
    """On the page of the first call, after so many clicks; gives the key that was shown."""
    page = walker.page
    key = page.locator("code[data-secret]").inner_text()
    walker.leg.installation.secrets.add(key)
    clicks(page)
    walker.press("Run it here")
    expect(page.get_by_role("link", name="See its trace")).to_be_visible()
    counted = clicked + clicks(page)
    walker.figures["clicks to the first call"] = counted
    assert counted <= 3
    snippets(walker, key)
    page.get_by_role("link", name="See its trace").click()
    walker.arrived("/requests/req_.*")
    walker.said("Why it went there")
    return key


def snippets(walker: Walker, key: str) -> None:
    """Each holds the key and this portal's own address; the first and the last are copied as they are shown."""
    page = walker.page
    for name in SNIPPETS:
        page.get_by_role("tab", name=name, exact=True).click()
        shown = page.locator("pre code").first.inner_text()
        assert key in shown, name
        assert walker.leg.base in shown, name
        if name in COPIED:  # they are one button, which says "Copied" for some seconds
            assert walker.copied(walker.button("Copy").first).strip() == shown.strip(), name
    prompt = walker.copied(walker.button("Copy the prompt"))
    assert walker.leg.base in prompt


def overview(walker: Walker, key: str) -> None:
    """A request shows within two seconds of its end, on a page that is not loaded again and only while it is seen."""
    page = walker.page
    walker.go("/")
    rows = page.get_by_role("region", name="Newest requests").locator("tbody tr")
    tile = page.get_by_role("link", name=re.compile(r"^Requests")).get_by_text(re.compile(r"^[\d,]+$"))
    before = settled_of(walker)
    expect(tile.and_(page.get_by_text(f"{before:,}", exact=True))).to_be_visible()  # a tab begins with what it had
    took = walker.seconds_until(
        lambda: walker.leg.ask(key).raise_for_status(), tile.and_(page.get_by_text(f"{before + 1:,}", exact=True))
    )
    walker.figures["seconds until a request shows"] = round(took, 2)
    assert took <= TURN_SECONDS
    assert rows.count() > 0
    see(page, "hidden")
    page.wait_for_timeout(300)
    see(page, "visible")
    for link, path in (("All limits", "/limits"), ("All alerts", "/alerts"), ("All requests", "/requests")):
        page.get_by_role("link", name=link).click()
        walker.arrived(path)
        walker.go("/")


def settled_of(walker: Walker) -> int:
    """How many requests the person may see, as the ledger has them."""
    rows = walker.leg.installation.query(
        "SELECT count(*) AS n FROM ledger_entry JOIN client ON client.id = client_id LEFT JOIN person ON "
        "person.id = owner_id WHERE ? OR email = ?",
        walker.is_admin,
        walker.email,
    )
    return int(rows[0]["n"])


def playground(walker: Walker) -> None:
    page = walker.page
    walker.go("/playground")
    page.get_by_label("Task").select_option("text-generation")
    page.get_by_label("Beside it").select_option("sandbox/sandbox")
    page.get_by_label("What is asked").fill("Write a haiku about keys")
    request = page.get_by_role("form", name="The request")
    walker.press(re.compile("^Run"), request)
    for name in ("First", "Beside it"):
        answer = page.get_by_role("region", name=name, exact=True)
        expect(answer.get_by_role("status")).to_have_text("done")
        expect(answer.get_by_role("heading", name="Why it went there")).to_be_visible()
    walker.press("Get the code")
    for name in ("curl", "JS", "Python"):
        page.get_by_role("tab", name=name, exact=True).click()
        shown = page.locator("pre code").first.inner_text()
        assert "Write a haiku about keys" in shown
        assert walker.leg.base in shown
    assert walker.copied(walker.button("Copy").first).strip() == shown.strip()
    page.get_by_label("Model", exact=True).select_option("sandbox/sandbox")
    page.get_by_text("Parameters", exact=True).click()
    page.get_by_label("Others, as JSON").fill('{"no_such": 1}')
    with walker.refused():
        walker.press(re.compile("^Run"), request)
        for name in ("First", "Beside it"):
            refusal = page.get_by_role("region", name=name, exact=True).get_by_role("alert")
            expect(refusal).to_contain_text("no_such")
    page.reload()
    expect(page.get_by_label("Task")).to_have_value("text-generation")
    expect(page.get_by_role("combobox", name="Beside it")).to_have_value("sandbox/sandbox")


def palette(walker: Walker) -> None:
    """Control K finds a page, and a key by its name on the server; the list of shortcuts opens."""
    page = walker.page
    walker.go("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("Playg")
    page.keyboard.press("Enter")
    walker.arrived("/playground")
    page.keyboard.press("Control+k")
    page.keyboard.type("First key")
    page.get_by_role("option", name=re.compile("First key")).click()
    walker.arrived("/keys")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name=re.compile("[Ss]hortcuts"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    for _ in range(5):  # the second key counts for a second and a half: on a busy machine that may pass
        page.keyboard.press("g")
        page.keyboard.press("u")
        if walker.has_arrived("/usage"):
            break
    walker.arrived("/usage")


def documentation(walker: Walker) -> None:
    """Served by the portal itself, below its own path; and what is said where there is no page."""
    page = walker.page
    with walker.refused():
        walker.go(NOWHERE)
    page.locator("#content").get_by_role("link").first.click()
    walker.arrived("/")
    page.get_by_role("link", name="Docs").first.click()
    page.wait_for_url(f"{walker.leg.base}/docs/start")
    page.get_by_role("link", name="Errors", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Errors")
    for path in ("/docs/errors/invalid_api_key", "/docs/search?q=budget"):
        answer = page.goto(walker.leg.base + path)
        assert answer is not None
        assert answer.ok
    # For programs: as a page, a browser would look for an icon at the top of the host, which is another's below a path.
    assert walker.leg.get("/llms.txt").startswith("# ")
