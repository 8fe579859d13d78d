"""The direction of imports (.importlinter), as a test: a new folder must be given its place. And of rights: what
is done names its action in the one table (services/rights_table.py), where it is registered."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from aiservice.services.rights_table import TABLE
from tests.services.rights_page import as_markdown, in_readme

ROOT = Path(__file__).parents[1]


def test_every_import_keeps_its_direction(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    status = lint_imports(config_filename=".importlinter", no_cache=True, no_logo=True)
    assert status == 0, capsys.readouterr().out


def test_every_handler_of_the_portal_and_route_of_the_api_names_an_action_of_the_table_of_rights() -> None:
    """A handler: `@handler("key.roll")`, or `@handler(public=True)`; a route: the third value of its `Row`."""
    for path, call in registrations():
        where = f"{path}:{call.lineno}"
        if isinstance(call.func, ast.Name) and call.func.id == "Row":
            assert text_of(call.args[2]) in TABLE, f"{where}: its action is not in services/rights_table.py"
        elif not any(keyword.arg == "public" for keyword in call.keywords):
            assert call.args, f'{where}: name the action in the table of rights: @handler("object.verb")'
            assert text_of(call.args[0]) in TABLE, f"{where}: its action is not in services/rights_table.py"


def test_the_readme_shows_the_table_as_it_is() -> None:
    assert in_readme() == as_markdown(), "run: python -m tests.services.rights_page"


def registrations() -> Iterator[tuple[Path, ast.Call]]:
    """Calls of `handler` over a function, and of `Row`."""
    for folder in ("portal", "management"):
        for path in sorted((ROOT / "aiservice" / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                found = [*getattr(node, "decorator_list", ()), *([node] if folder == "management" else ())]
                for call in found:
                    if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("handler", "Row"):
                        yield path.relative_to(ROOT), call


def text_of(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None
