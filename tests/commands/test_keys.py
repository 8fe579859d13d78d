"""Keys on the command line: addresses, edits, bounds of clients, idle ones."""

from tests.commands.conftest import Console


def test_a_keys_addresses_and_scopes_are_set_and_changed(console: Console) -> None:
    console("client", "create", "--name", "shop")
    made = console.json(
        "key", "create", "--client", "shop", "--allow-ip", "203.0.113.0/24", "--allow-ip", "2001:db8::1"
    )
    (row,) = console.json("key", "list")
    assert row["allowed_ips"] == ["2001:db8::1/128", "203.0.113.0/24"]
    changed = console.json("key", "update", made["id"], "--allow-ip", "any", "--scope", "read", "--name", "reports")
    assert (changed["allowed_ips"], changed["scopes"], changed["name"]) == (None, ["read"], "reports")
    assert console.json("key", "update", made["id"], "--expires-in", "1h")["expires_at"].endswith("Z")
    assert console.json("key", "update", made["id"], "--expires-in", "never", "--scope", "any")["scopes"] is None
    assert console("key", "update", made["id"], status=2).err.startswith("Error: Say what is to change")
    wrong = console("key", "update", made["id"], "--allow-ip", "10.0.0.1/8", status=1)
    assert "Did you mean 10.0.0.0/8?" in wrong.err


def test_a_clients_bounds_hold_for_its_keys(console: Console) -> None:
    console("client", "create", "--name", "shop", "--scope", "chat", "--allow-ip", "10.0.0.0/8")
    wider = console("key", "create", "--client", "shop", "--scope", "embedding", status=1)
    assert "The client itself may not use 'embedding'" in wider.err
    told = console.json("client", "update", "shop", "--scope", "any", "--allow-ip", "10.1.0.0/16")
    assert (told["scopes"], told["allowed_ips"]) == (None, ["10.1.0.0/16"])
    console("key", "create", "--client", "shop", "--scope", "embedding")
    outside = console("key", "create", "--client", "shop", "--allow-ip", "10.2.0.0/16", status=1)
    assert "may not use '10.2.0.0/16'" in outside.err
    assert console.json("client", "disable", "shop", "--cut-streams")["disabled"] is True


def test_idle_keys_are_listed_alone(console: Console) -> None:
    console("client", "create", "--name", "shop")
    console("key", "create", "--client", "shop")
    assert console.json("key", "list", "--idle", "90d") == []
    assert console("key", "list", "--idle", "90d").err == "No key was idle for 90d.\n"
    assert len(console.json("key", "list", "--idle", "0")) == 1
    assert console("key", "list", "--idle", "soon", status=2).out == ""
