"""Journal records: what an older or newer release wrote is read all the same."""

import dataclasses

import orjson

from aiservice.services.settlement import HEADER, SETTLED, Settlement, columns, decode, encode_settlement
from tests.services.usage_rows import row_of


def test_a_record_of_before_the_overhead_was_kept_is_still_read() -> None:
    row = row_of("req_old")
    names = [field.name for field in dataclasses.fields(Settlement) if field.name != "overhead_us"]
    header = orjson.dumps({"format": 1, "names": {str(SETTLED): names}})
    record = orjson.dumps((SETTLED, [getattr(row, name) for name in names]))
    assert list(decode(iter([header, record]))) == [row]
    assert columns(row)["overhead_us"] is None


def test_a_record_with_a_field_of_a_newer_release_is_read_without_it() -> None:
    header, (kind, values) = orjson.loads(HEADER), orjson.loads(encode_settlement(row_of("req_new")))
    header["names"][str(SETTLED)].append("of_tomorrow")
    records = [orjson.dumps(header), orjson.dumps((kind, [*values, 7]))]
    assert list(decode(iter(records))) == [row_of("req_new")]
