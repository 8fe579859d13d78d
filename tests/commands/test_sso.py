"""`sso`: a provider from the command line; its secret on standard input, and in no answer."""

from tests.commands.conftest import Console

ISSUER = "https://id.example.org/realms/main"


def test_a_provider_is_added_changed_and_taken_away(console: Console) -> None:
    made = console.json(
        *("sso", "add", "work", "--issuer", ISSUER, "--client-id", "broker", "--domain", "example.org"),
        stdin="s3cr3t-of-the-client\n",
    )
    assert (made["has_secret"], made["enabled"], made["redirect_uri"]) == (True, False, "/auth/sso/work/callback")
    changed = console.json("sso", "change", "work", "--domain", "any", "--no-accounts")
    assert (changed["domains"], changed["makes_accounts"]) == ([], False)
    assert console.json("sso", "list")[0]["issuer"] == ISSUER
    assert "s3cr3t" not in str(console.json("sso", "list"))
    assert console.json("sso", "remove", "work") == {"name": "work", "removed": True}


def test_the_machine_says_who_may_come_in_without(console: Console) -> None:
    console.json("admin", "create", "--email", "root@example.org", stdin="correct horse battery\n")
    assert console.json("sso", "break-glass", "--email", "root@example.org")["break_glass"] == "root@example.org"
    assert console.json("sso", "require") == {"required": False, "break_glass": "root@example.org"}
    assert console.json("sso", "break-glass", "--nobody") == {"required": False, "break_glass": None}
