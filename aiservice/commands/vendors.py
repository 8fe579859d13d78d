"""`vendor`: providers that speak OpenAI's wire, as rows of data; no code."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from aiservice.commands.console import JsonFlag, examples, group, show, show_table, usage_error
from aiservice.commands.opening import run
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.vendors import VendorView

vendor = group("Vendors that speak OpenAI's wire, each a row of data: what it calls otherwise, refuses and says.")

Which = Annotated[str, typer.Argument(metavar="KIND", help="The vendor's kind.")]
_MAX_BYTES = 1 << 20


@vendor.command(
    "add",
    action="vendor.add",
    short_help="Add a vendor from a row; no code.",
    epilog=examples(
        "vendor show groq > acme.toml   # a row to start from",
        "vendor add --file acme.toml",
        "provider add acme --name acme < acme.key",
    ),
)
def add(
    file: Annotated[str, typer.Option("--file", help="The row (TOML); - reads standard input.")],
    replaces: Annotated[bool, typer.Option("--replace", help="In the place of the stored one of its kind.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Add a vendor, or with --replace change it. It is in use at once, on every worker and node."""
    text = _text_of(file)
    made = run(lambda core: core.vendors.add(OPERATOR, text, replaces=replaces), as_json=as_json)
    done = "Changed" if replaces else "Added"
    lines = [f"{done} {made.title}, of kind {made.kind}."]
    if not made.connections:
        lines.append(f"Next: python -m aiservice provider add {made.kind} --name {made.kind}")
    show({"kind": made.kind, "title": made.title}, lines, as_json=as_json)


@vendor.command("list", action="vendor.list", epilog=examples("vendor list", "vendor list --json"))
def list_vendors(as_json: JsonFlag = False) -> None:
    """List the vendors: your own, then the built-in ones."""

    async def work(core: Core) -> list[dict[str, object]]:
        return [_row(view) for view in await core.vendors.list(OPERATOR)]

    columns = ("kind", "title", "base_url", "built_in", "connections", "problem")
    show_table(run(work, as_json=as_json), columns, as_json=as_json, empty="There are no vendors.")


@vendor.command("show", action="vendor.list", epilog=examples("vendor show groq", "vendor show groq > acme.toml"))
def show_vendor(which: Which, as_json: JsonFlag = False) -> None:
    """Print a vendor's row as it was written: a place to start from."""

    async def work(core: Core) -> VendorView:
        return await core.vendors.find(OPERATOR, which)

    view = run(work, as_json=as_json)
    show({**_row(view), "row": view.text}, [view.text.rstrip()], as_json=as_json)


@vendor.command("remove", action="vendor.remove", epilog=examples("vendor remove acme"))
def remove(which: Which, as_json: JsonFlag = False) -> None:
    """Remove a vendor that no connection uses."""
    run(lambda core: core.vendors.remove(OPERATOR, which), as_json=as_json)
    show({"kind": which, "removed": True}, [f"Removed the vendor {which}."], as_json=as_json)


def _row(view: VendorView) -> dict[str, object]:
    return {
        "kind": view.kind,
        "title": view.title,
        "base_url": view.base_url,
        "built_in": view.is_built_in,
        "connections": view.connections,
        "changed_at": iso(view.changed_us or None),
        "problem": view.problem or None,
    }


def _text_of(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read(_MAX_BYTES) if file == "-" else _bytes_of(Path(file))
        return raw.decode("utf-8")
    except OSError as error:
        usage_error(f"{file[:200]} cannot be read: {error.strerror or error}.")
    except UnicodeDecodeError:
        usage_error(f"{file[:200]} is not text in UTF-8.")


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES)
