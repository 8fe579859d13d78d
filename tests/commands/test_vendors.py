"""`vendor`: a provider without code."""

from pathlib import Path

from aiservice.providers import install
from tests.commands.conftest import Console
from tests.services.test_vendors import ACME


def test_a_vendor_from_its_row_to_its_end(console: Console, tmp_path: Path) -> None:
    row = tmp_path / "acme.toml"
    row.write_text(ACME)
    assert console.json("vendor", "add", "--file", str(row)) == {"kind": "acme", "title": "Acme"}
    assert console.json("vendor", "show", "acme")["row"] == ACME
    first, *others = console.json("vendor", "list")
    assert (first["kind"], first["built_in"], first["connections"]) == ("acme", False, [])
    assert {"groq", "mistral"} <= {other["kind"] for other in others}
    install([])  # as in a process of its own
    made = console.json("provider", "add", "acme", "--name", "ours", "--no-test", stdin="sk-acme-0001")
    assert made["kind"] == "acme"
    assert console.json("vendor", "remove", "acme", status=1)["error"]["code"] == "vendor_in_use"
    assert console.json("vendor", "add", "--file", str(row), status=1)["error"]["code"] == "kind_taken"
    row.write_text(ACME.replace("Acme", "Acme Inc."))
    assert console.json("vendor", "add", "--file", str(row), "--replace")["title"] == "Acme Inc."
    console("provider", "remove", "ours")
    assert console.json("vendor", "remove", "acme")["removed"] is True
    install([])


def test_a_built_in_row_is_one_to_start_from(console: Console) -> None:
    text = console("vendor", "show", "groq").out
    mine = text.replace('kind = "groq"', 'kind = "groq-eu"')
    assert console.json("vendor", "add", "--file", "-", stdin=mine)["kind"] == "groq-eu"
    install([])


def test_what_is_wrong_with_a_row_is_said_by_its_field(console: Console, tmp_path: Path) -> None:
    row = tmp_path / "acme.toml"
    row.write_text(ACME + "colour = 1\n")
    error = console.json("vendor", "add", "--file", str(row), status=1)["error"]
    assert (error["code"], error["param"]) == ("invalid_vendor", "colour")
    assert "cannot be read" in console("vendor", "add", "--file", str(tmp_path / "none"), status=2).err
    row.write_bytes(b"\xff")
    assert "UTF-8" in console("vendor", "add", "--file", str(row), status=2).err
