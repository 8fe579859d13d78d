"""Forms with files: what is written is read again, and what is none is refused by words."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.multipart import MOST_PARTS, BadForm, read_form, write_form

_TYPE = "multipart/form-data; boundary=x"
_names = st.text("abc_-", min_size=1, max_size=8)
_files = st.builds(
    lambda name, data: {"filename": name, "content_type": "audio/wav", "data": data}, _names, st.binary(max_size=300)
)


@given(st.dictionaries(_names, st.one_of(st.text(max_size=40), _files), min_size=1))
def test_what_is_written_is_read_again(form: dict[str, Any]) -> None:
    body, kind = write_form(form.items())
    assert read_form(body, kind) == form


@given(st.binary(max_size=400))
def test_any_bytes_are_a_form_or_refused(raw: bytes) -> None:
    with suppress(BadForm):
        read_form(b"--x\r\n" + raw, _TYPE)


def test_a_form_cut_anywhere_is_refused() -> None:
    body, kind = write_form([("a", "1"), ("file", {"filename": "f", "content_type": "audio/wav", "data": b"\0" * 40})])
    for end in range(len(body) - 4):  # the last two hyphens and the line end behind them say nothing more
        with pytest.raises(BadForm):
            read_form(body[:end], kind)


def test_fields_that_come_several_times_are_lists() -> None:
    body, kind = write_form([("image[]", "a"), ("b", "1"), ("b", "2")])
    assert read_form(body, kind) == {"image": ["a"], "b": ["1", "2"]}


@pytest.mark.parametrize(
    ("raw", "kind", "words"),
    [
        (b"--x--", "multipart/form-data", "no boundary"),
        (b"--x\r\ncontent-disposition: form-data\r\n\r\n1\r\n--x--\r\n", _TYPE, "has no name"),
        (
            b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--\r\n',
            _TYPE,
            "'a' of the form is no text",
        ),
        (b"--x\r\na: " + b"b" * 9_000 + b"\r\n\r\n1\r\n--x--\r\n", _TYPE, "not the form"),
        (b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n' * (MOST_PARTS + 1), _TYPE, "more than 100"),
    ],
)
def test_what_is_wrong_is_said(raw: bytes, kind: str, words: str) -> None:
    with pytest.raises(BadForm, match=words):
        read_form(raw, kind)


def test_a_boundary_that_is_in_a_file_is_not_used() -> None:
    first, kind = write_form([("a", "1")])
    boundary = kind.rpartition("=")[2]
    body, kind = write_form([("a", f"1--{boundary}")])
    assert read_form(body, kind) == {"a": f"1--{boundary}"}
    assert first != body
