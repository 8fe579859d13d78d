"""The ids that others know a request by: read strictly, and never a reason to refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.gateway.trace_ids import trace_id_in, upstream_id_in

TRACE = b"0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"00-%s-b7ad6b7169203331-01" % TRACE, TRACE.decode()),
        (b"cc-%s-b7ad6b7169203331-01-what-will-be" % TRACE, TRACE.decode()),
        (b"ff-%s-b7ad6b7169203331-01" % TRACE, None),
        (b"00-%s-b7ad6b7169203331-01" % (b"0" * 32), None),
        (b"00-%s-%s-01" % (TRACE, b"0" * 16), None),
        (b"00-%s-b7ad6b7169203331-01" % TRACE.upper(), None),
        (b"00-%s-b7ad6b7169203331" % TRACE, None),
        (b"", None),
    ],
)
def test_a_trace_is_taken_from_a_traceparent_of_the_standard(header: bytes, found: str | None) -> None:
    assert trace_id_in([(b"host", b"x"), (b"traceparent", header)]) == found


@given(st.binary(max_size=80))
def test_whatever_comes_as_a_trace_is_one_or_none(header: bytes) -> None:
    found = trace_id_in([(b"traceparent", header)])
    assert found is None or (len(found) == 32 and found.encode() in header)


def test_a_provider_names_its_answer_in_one_header_or_the_other() -> None:
    assert upstream_id_in({"x-request-id": "req_1", "request-id": "req_2"}) == "req_1"
    assert upstream_id_in({"request-id": "req_2"}) == "req_2"
    assert upstream_id_in({}) is None
    assert upstream_id_in({"x-request-id": "x" * 101}) is None
    assert upstream_id_in({"x-request-id": "a b\n"}) is None
