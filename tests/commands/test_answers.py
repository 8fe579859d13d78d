"""What the commands print: the contract's JSON, words for people, and never a stored secret."""

import json

import pytest
from typer.main import get_command

from aiservice.commands.line import whole
from tests.commands.conftest import PROVIDER_KEY, Console
from tests.harness.mock import MockProcess

PASSWORD = "correct horse battery staple"


def test_the_answers_are_the_contracts(console: Console) -> None:
    """contract.md, "Command line answers"."""
    admin = console.json("admin", "create", "--email", "Ada@Example.org", stdin=PASSWORD + "\n")
    assert admin == {"id": admin["id"], "email": "ada@example.org", "role": "admin"}
    client = console.json("client", "create", "--name", "shop")
    assert set(client) == {"id", "name"}
    key = console.json("key", "create", "--client", "shop", "--name", "ci", "--expires-in", "30d")
    assert list(key) == ["id", "client", "name", "key", "expires_at"]
    assert (key["client"], key["name"], len(key["key"])) == ("shop", "ci", 60)
    assert key["expires_at"].endswith("Z")
    rolled = console.json("key", "roll", key["id"], "--overlap", "1h")
    assert list(rolled) == ["id", "client", "name", "key", "expires_at"]
    assert rolled["id"] == key["id"]
    assert rolled["key"] != key["key"]
    added = console.json(
        *("provider", "add", "openai-compatible", "--name", "m", "--base-url", "http://127.0.0.1:9/v1"),
        *("--allow-private", "--no-test"),
        stdin=PROVIDER_KEY,
    )
    assert added == {"id": added["id"], "name": "m", "kind": "openai-compatible"}
    chain = console.json("preference", "set", "--client", "shop", "--task", "chat", "--order", "m:x,sandbox")
    assert chain == {"client": "shop", "task": "chat", "order": ["m:x", "sandbox"]}
    for name, fields in {
        "key": {"id", "client", "name"},
        "provider": {"id", "name", "kind"},
        "client": {"id", "name"},
    }.items():
        rows = console.json(name, "list")
        assert rows
        assert all(fields <= set(row) for row in rows)
    assert console.json("key", "revoke", key["id"]) == {"id": key["id"], "revoked": True}
    assert console.json("key", "list")[0]["state"] == "revoked"


def test_the_alias_chain_means_order(console: Console) -> None:
    console("client", "create", "--name", "shop")
    stored = console.json("preference", "set", "--client", "shop", "--task", "*", "--chain", "sandbox")
    assert stored["order"] == ["sandbox"]
    assert console.json("preference", "clear", "--client", "shop") == {"client": "shop", "cleared": 1}
    assert console.json("preference", "list") == []


def test_switching_off_and_on_shows_in_the_lists(console: Console) -> None:
    console("user", "create", "--email", "bob@example.org", stdin=PASSWORD)
    console("client", "create", "--name", "shop", "--owner", "bob@example.org")
    assert console.json("client", "disable", "shop")["disabled"] is True
    assert console.json("client", "list")[0]["disabled"] is True
    assert console.json("client", "enable", "--name", "shop")["disabled"] is False
    assert console.json("provider", "disable", "sandbox")["disabled"] is True
    assert console.json("provider", "enable", "sandbox")["disabled"] is False
    console("user", "disable", "bob@example.org")
    assert console.json("user", "list")[0]["disabled"] is True
    console("user", "enable", "--email", "bob@example.org")
    assert console.json("user", "list")[0]["disabled"] is False
    console("user", "reset-password", "bob@example.org", stdin=PASSWORD + " too")


def test_lists_are_tables_for_people(console: Console) -> None:
    console("client", "create", "--name", "shop")
    lines = console("client", "list").out.splitlines()
    assert lines[0].split()[:2] == ["NAME", "OWNER"]
    assert lines[1].split()[:2] == ["shop", "-"]
    empty = console("preference", "list")
    assert (empty.out, empty.err) == ("", "There are no stored preferences.\n")


def test_a_key_alone_is_on_standard_output(console: Console) -> None:
    console("client", "create", "--name", "shop")
    done = console("key", "create", "--client", "shop")
    assert done.out.startswith("ais_live_")
    assert len(done.out.strip()) == 60
    assert "this once" in done.err


def test_a_refusal_is_words_on_stderr_and_the_error_object_with_json(console: Console) -> None:
    console("client", "create", "--name", "shop")
    plain = console("client", "create", "--name", "shop", status=1)
    assert plain.out == ""
    assert plain.err == "Error: There is already a client called 'shop'. Choose another name.\n"
    done = console("client", "create", "--name", "shop", "--json", status=1)
    assert done.answer["error"]["code"] == "name_taken"
    assert done.answer["error"]["param"] == "name"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["client", "disable", "shpo"], "'shop'"),
        (["key", "create", "--client", "shpo"], "'shop'"),
        (["provider", "test", "sandbx"], "'sandbox'"),
        (["provider", "add", "opnai-compatible", "--name", "x"], "'openai-compatible'"),
        (["preference", "set", "--client", "shop", "--task", "chta", "--order", "sandbox"], "'chat'"),
        (["preference", "set", "--client", "shop", "--task", "chat", "--order", "sandbx"], "'sandbox'"),
    ],
)
def test_a_mistyped_name_gets_the_nearest(console: Console, command: list[str], words: str) -> None:
    console("client", "create", "--name", "shop")
    assert f"Did you mean {words}" in console(*command, status=1).err


@pytest.mark.parametrize(
    "command",
    [
        ["key", "create", "--client", "shop", "--budget", "much"],
        ["key", "create", "--client", "shop", "--expires-in", "soon"],
        ["provider", "add", "openai-compatible", "--name", "x", "--rps", "5"],
        ["provider", "add", "openai-compatible", "--name", "x", "--key", "sk-1"],
        ["admin", "create", "--email", "a@b.org", "--password", "x"],
        ["admin", "create"],
        ["client", "disable"],
        ["client", "disable", "a", "--name", "b"],
        ["preference", "set", "--client", "shop", "--task", "chat", "--order", "a,,b"],
        ["restore"],
        ["nothing"],
    ],
)
def test_what_is_not_there_is_a_usage_error(console: Console, command: list[str]) -> None:
    """Nothing is accepted and ignored, and no secret is taken from an argument."""
    done = console(*command, status=2)
    assert done.out == ""
    assert "Error" in done.err


def test_an_empty_or_a_second_line_is_no_password(console: Console) -> None:
    assert "nothing came" in console("admin", "create", "--email", "a@b.org", stdin="\n", status=2).err
    assert "one line" in console("admin", "create", "--email", "a@b.org", stdin="abc\ndef\n", status=2).err


def test_a_weak_password_is_refused_and_not_repeated(console: Console) -> None:
    done = console("admin", "create", "--email", "a@b.org", "--json", stdin="hunter2", status=1)
    assert done.answer["error"]["code"] == "password_refused"
    assert "hunter2" not in done.out + done.err


def test_adding_a_provider_tests_it_and_keeps_its_models(console: Console, mock: MockProcess) -> None:
    add = ("provider", "add", "openai-compatible", "--base-url", mock.base_url, "--allow-private", "--name")
    console(*add, "found", stdin=PROVIDER_KEY + "\n")
    console(*add, "listed", "--models", "only-this", stdin=PROVIDER_KEY)
    models = {row["name"]: row["models"] for row in console.json("provider", "list")}
    assert "mock-small" in models["found"]
    assert models["listed"] == ["only-this"]
    tested = console.json("provider", "test", "found", "--list-only")
    assert (tested["ok"], tested["code"], tested["models"]) == (True, None, models["found"])


def test_a_kind_with_an_address_of_its_own_takes_it_with_and_without_its_version(
    console: Console, mock: MockProcess
) -> None:
    root = mock.base_url.removesuffix("/v1")
    add = ("provider", "add", "anthropic", "--allow-private", "--name")
    console(*add, "with", "--base-url", mock.base_url, stdin=PROVIDER_KEY)
    console(*add, "without", "--base-url", root, stdin=PROVIDER_KEY)
    console("provider", "add", "anthropic", "--name", "own", "--no-test", stdin=PROVIDER_KEY)
    rows = {row["name"]: row for row in console.json("provider", "list") if row["kind"] == "anthropic"}
    assert {name: row["base_url"] for name, row in rows.items()} == {
        "with": root,
        "without": root,
        "own": "https://api.anthropic.com",
    }
    assert "mock-small" in rows["with"]["models"]
    assert console.json("provider", "test", "with", "--list-only")["ok"] is True


def test_google_is_asked_by_its_own_header_with_and_without_the_version(console: Console, mock: MockProcess) -> None:
    root = mock.base_url.removesuffix("/v1")
    for name, address in (("with", f"{root}/v1beta"), ("without", root)):
        add = ("provider", "add", "gemini", "--name", name, "--base-url", address, "--allow-private")
        assert console.json(*add, stdin=PROVIDER_KEY)["kind"] == "gemini"
        found = next(row for row in console.json("provider", "list") if row["name"] == name)
        assert (found["base_url"], "mock-small" in found["models"]) == (root, True)
        asked = mock.served()[-1]
        assert (asked.path, asked.headers["x-goog-api-key"]) == ("/v1beta/models", PROVIDER_KEY)


def test_a_wrong_key_is_not_saved_unless_insisted_on(console: Console, mock: MockProcess) -> None:
    add = ("provider", "add", "openai-compatible", "--base-url", mock.base_url, "--allow-private", "--name", "m")
    refused = console(*add, "--json", stdin="sk-wrong-key-0000", status=1)
    assert refused.answer["error"]["code"] == "upstream_auth_failed"
    assert [row["name"] for row in console.json("provider", "list")] == ["sandbox"]
    console(*add, "--no-test", stdin="sk-wrong-key-0000")
    assert console.json("provider", "test", "m", status=1)["code"] == "upstream_auth_failed"
    assert console("provider", "set-key", "m", stdin="sk-wrong-key-1111", status=1).err.startswith("Error: Not saved")
    assert console.json("provider", "set-key", "m", stdin=PROVIDER_KEY)["key_hint"] == PROVIDER_KEY[-4:]
    assert console.json("provider", "test", "m", "--list-only")["ok"] is True


def test_a_provider_that_is_away_is_saved_with_a_note(console: Console) -> None:
    done = console(
        *("provider", "add", "openai-compatible", "--name", "away", "--base-url", "http://127.0.0.1:9/v1"),
        "--allow-private",
        stdin=PROVIDER_KEY,
    )
    assert "could not be reached" in done.err
    assert console.json("provider", "remove", "away") == {"name": "away", "removed": True}


def test_t20_a_new_address_needs_the_key(console: Console) -> None:
    """T-20: on the command line, too, the stored key does not follow."""
    console(
        *("provider", "add", "openai-compatible", "--name", "m", "--base-url", "https://a.example/v1", "--no-test"),
        stdin=PROVIDER_KEY,
    )
    move = ("provider", "set-address", "m", "--base-url", "https://b.example/v1")
    assert console(*move, "--json", status=1).answer["error"]["code"] == "key_required"
    assert console.json("provider", "list")[1]["base_url"] == "https://a.example/v1"
    assert console.json(*move, stdin=PROVIDER_KEY)["base_url"] == "https://b.example/v1"


def test_t26_no_command_prints_a_provider_key(console: Console, mock: MockProcess) -> None:
    """T-26: every command that shows or touches connections, as text and as JSON, successes and refusals."""
    said = []
    add = ("provider", "add", "openai-compatible", "--base-url", mock.base_url, "--allow-private", "--name")
    for flags in ((), ("--json",)):
        said += [console(*add, f"m{len(flags)}", *flags, stdin=PROVIDER_KEY)]
        said += [console(*add, f"m{len(flags)}", *flags, stdin=PROVIDER_KEY, status=1)]
        said += [console(*add, "bad", *flags, stdin=PROVIDER_KEY + " x", status=1)]
        said += [console("provider", "set-key", "m0", *flags, stdin=PROVIDER_KEY)]
        said += [
            console("provider", "set-address", "m0", "--base-url", "ftp://x", *flags, stdin=PROVIDER_KEY, status=1)
        ]
        said += [console("provider", action, "m0", *flags) for action in ("test", "disable", "enable")]
        said += [console("provider", "list", *flags), console("usage", "export", *flags), console("doctor", *flags)]
    assert all(PROVIDER_KEY not in done.out + done.err for done in said)
    assert PROVIDER_KEY[-4:] in said[-3].out, "the list shows the last four"


def test_every_command_has_help_with_an_example_json_and_no_colour(console: Console) -> None:
    paths = sorted(_paths(get_command(whole()), ()))
    assert len(paths) >= 25
    for path in paths:
        text = console(*path, "--help").out
        assert f"python -m aiservice {' '.join(path)}" in text
        assert "Examples:" in text, path
        assert "--json" in text, path
        assert "\x1b" not in text, path


def _paths(command: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    children = getattr(command, "commands", None)
    if children is None:
        return [path]
    return [found for name, child in children.items() for found in _paths(child, (*path, name))]


def test_bad_settings_are_said_with_status_1(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISERVICE_DATA_DIRR", "x")
    done = console("client", "list", "--json", status=1)
    assert json.loads(done.out)["error"]["code"] == "invalid_settings"
    assert "AISERVICE_DATA_DIR?" in done.err


def test_limits_are_set_listed_and_cleared(console: Console) -> None:
    console("client", "create", "--name", "shop")
    made = console.json("key", "create", "--client", "shop", "--rpm", "60", "--tpm", "9000", "--concurrency", "4")
    expected = {"requests/minute": 60, "tokens/minute": 9000, "concurrency": 4}
    assert console.json("key", "limits", "list", made["id"])["limits"] == expected
    assert console.json("key", "list")[0]["limits"] == expected
    stored = console.json("client", "limits", "set", "shop", "--limit", "tokens/day=1000000", "--rpm", "600")
    assert stored["limits"] == {"requests/minute": 600, "tokens/day": 1_000_000}
    stored = console.json("key", "limits", "clear", made["id"], "--limit", "concurrency")
    assert stored["limits"] == {"requests/minute": 60, "tokens/minute": 9000}
    assert stored["client_limits"] == {"requests/minute": 600, "tokens/day": 1_000_000}
    assert console.json("client", "limits", "clear", "shop")["limits"] == {}


def test_budgets_are_set_shown_and_cleared(console: Console) -> None:
    console.json("client", "create", "--name", "shop")
    key = console.json("key", "create", "--client", "shop", "--budget", "25", "--budget-period", "week")
    (money,) = console.json("key", "budget", "show", key["id"])
    assert (money["measure"], money["period"], money["cap"], money["left"]) == ("money", "week", 25 * 10**9, 25 * 10**9)
    (tokens,) = console.json(
        *("client", "budget", "set", "shop", "--tokens", "5000", "--period", "day", "--rolling"),
        *("--warn", "80,90", "--allow-unpriced", "llama,qwen"),
    )
    assert (tokens["rolling"], tokens["warn_percent"]) == (True, [80, 90])
    assert tokens["unpriced_models"] == ["llama", "qwen"]
    assert console.json("client", "budget", "clear", "shop", "--period", "day") == []
    for wrong in (("--usd", "NaN"), ("--usd", "-1"), ("--usd", "1", "--period", "year"), ()):
        console("client", "budget", "set", "shop", *wrong, status=2)
