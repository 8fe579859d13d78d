"""Every code that the product can answer with has a page, and no page is about a code that there is not."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from aiservice import errors as error_classes
from aiservice.docs.pages import errors, pages
from aiservice.errors import BrokerError
from aiservice.portal import words
from aiservice.services.key_standing import Refusal
from aiservice.services.limiter import _CODES
from tests.harness.process import ROOT

# What a code is given to in the source without ever being answered to a caller.
NOT_ANSWERS = {"decoy"}
RETRIES = re.compile(r"yes|no|after `retry-after`")


def literals(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from literals(value.body)
        yield from literals(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for part in value.values:
            yield from literals(part)


def codes_in(file: Path) -> Iterator[str]:
    """What is given as `code=` or `default_code =`, as words of the source."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "code":
                    yield from literals(keyword.value)
        elif isinstance(node, ast.Assign) and any(getattr(one, "id", "") == "default_code" for one in node.targets):
            yield from literals(node.value)


def codes() -> set[str]:
    """Every code that the source names: where errors are raised, their classes, the tables of keys and limits."""
    found = {code for file in (ROOT / "aiservice").rglob("*.py") for code in codes_in(file)}
    classes = inspect.getmembers(error_classes, inspect.isclass)
    found |= {cls.default_code for _, cls in classes if issubclass(cls, BrokerError)}
    return (found | {one.value for one in Refusal} | set(_CODES.values())) - NOT_ANSWERS


def test_every_code_has_a_page() -> None:
    missing = sorted(code for code in codes() if f"/docs/errors/{code}" not in pages())
    assert " ".join(missing) == "", "add each to a file of aiservice/docs/content/errors"


def test_no_page_is_about_a_code_that_does_not_exist() -> None:
    source = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "aiservice").rglob("*.py"))
    assert [code for code in errors() if f'"{code}"' not in source and code != "permission_denied"] == []


def test_what_the_portal_explains_of_requests_has_a_page_too() -> None:
    assert [code for code in words._CODES if code not in errors()] == []


def test_each_code_is_told_of_once() -> None:
    families = (ROOT / "aiservice" / "docs" / "content" / "errors").glob("*.md")
    named = [code for file in families for code in re.findall(r"^## (\S+)$", file.read_text(), flags=re.MULTILINE)]
    assert len(named) == len(set(named)) == len(errors())


def test_each_entry_says_what_why_what_next_and_whether_to_try_again() -> None:
    for entry in errors().values():
        assert RETRIES.fullmatch(entry.retry), entry.code
        assert re.fullmatch(r"(\d{3}(, )?)+|command line", entry.status), entry.code
        for said in (entry.what, entry.why, entry.next):
            assert said.rstrip("`").endswith((".", ":", "'", "?")) or said.endswith("`."), (entry.code, said)


def test_what_a_class_says_of_its_status_is_what_its_page_says() -> None:
    for _, cls in inspect.getmembers(error_classes, inspect.isclass):
        if issubclass(cls, BrokerError) and cls is not BrokerError:
            entry = errors()[cls.default_code]
            assert str(cls.status) in entry.status, cls
