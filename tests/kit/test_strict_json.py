"""JSON from strangers: refused with words, never an exception of another kind."""

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit import strict_json
from aiservice.kit.strict_json import MAX_DEPTH, BadJson, parse

_BOMBS = [
    b"",
    b"{",
    b"nul",
    b"NaN",
    b"[NaN]",
    b"Infinity",
    b"1e400",
    b'{"a":1e999}',
    b'"\xff"',
    b'"\\ud800"',
    b"[1,]",
    b"{'a':1}",
    b"[" * 1000 + b"]" * 1000,
    b"[" * 100_000,
    b'{"a":' * 500 + b"1" + b"}" * 500,
    b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    b"[" + b"{}," * 250_000 + b"{}]",
    b"[" + b"1," * 250_000 + b"1]",
    b'"' + b"x" * (9 << 20) + b'"',
    b"\x00",
    b"\xfe\xff",
    b"01",
    b"+1",
    b"[1 2]",
    b'{"a" 1}',
    b'{"a":}',
    b"{1:2}",
    b'"unterminated',
    b'"bad \\x escape"',
    b"truefalse",
]


@pytest.mark.parametrize("raw", _BOMBS, ids=range(len(_BOMBS)))
def test_t47_bombs_and_nonsense_are_refused(raw: bytes) -> None:
    with pytest.raises(BadJson):
        parse(raw)


def test_t47_the_deepest_allowed_is_read() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


def test_a_text_full_of_brackets_is_only_a_text() -> None:
    assert parse(b'{"a": "' + b"[" * 1000 + b'"}') == {"a": "[" * 1000}


def test_t47_three_megabytes_of_objects_are_refused_quickly() -> None:
    raw = b"[" + b"{}," * 1_000_000 + b"{}]"
    began = time.perf_counter()
    with pytest.raises(BadJson):
        parse(raw)
    assert time.perf_counter() - began < 1.0


@given(st.binary(max_size=300))
def test_any_bytes_parse_or_are_refused(raw: bytes) -> None:
    try:
        parse(raw)
    except BadJson as exc:
        assert str(exc)


@pytest.mark.parametrize("unit", [b"[],", b"1,", b"{},", b"[[[[1]]]],", b'"\\"[[",'])
def test_t47_what_holds_too_much_is_refused_before_it_is_read(unit: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty megabytes of empty lists would be half a gigabyte of memory."""
    raw = b"[" + unit * 250_000 + b"1]"
    assert orjson.loads(raw)

    class Unread:
        JSONDecodeError = orjson.JSONDecodeError

        def loads(self, _raw: bytes) -> None:
            raise AssertionError("it was read")

    monkeypatch.setattr(strict_json, "orjson", Unread())
    with pytest.raises(BadJson, match="values"):
        parse(raw)


def test_t47_texts_may_hold_as_many_commas_and_brackets_as_they_like() -> None:
    said = {"a": '[{,\\"' * 300_000, "b": ['"', "\\", ","]}
    assert parse(orjson.dumps(said)) == said
