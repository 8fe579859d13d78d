"""OpenAI's wire, with every habit of its look-alikes that recordings show (the samples are written by hand)."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.secret import Secret
from aiservice.providers._base import AttemptFailed
from aiservice.providers._failures import retry_after_seconds, vetted
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_shape import read_usage
from aiservice.providers.openai_compatible import PROVIDER
from aiservice.wire import Ask, Blame, EventKind, HttpCall, HttpReply, StreamEvent, Usage

_ASK = Ask("chat", "chat", {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.1}, is_stream=True)
_CALL = HttpCall("/chat/completions", b"{}")


def _chunk(delta: dict[str, object], finish: str | None = None, **extra: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + orjson.dumps({"id": "c", "choices": [choice], **extra}) + b"\n\n"


def _read(*frames: bytes) -> tuple[list[StreamEvent], bool]:
    reader = PROVIDER.reader(_ASK, _CALL)
    events = [event for frame in frames for event in reader.feed(frame)] + reader.end()
    return events, reader.is_finished


def test_a_stream_is_asked_for_its_usage_whatever_the_client_said() -> None:
    call = PROVIDER.build(_ASK, "m")
    body = orjson.loads(call.body)
    assert (call.path, body["model"], body["stream"]) == ("/chat/completions", "m", True)
    assert body["stream_options"] == {"include_usage": True}
    assert body["temperature"] == 0.1


@pytest.mark.parametrize("said", ["error", "insufficient_system_resource", "abort"])
def test_an_answer_that_its_provider_broke_off_is_no_answer(said: str) -> None:
    events, _ = _read(_chunk({"content": "ha"}, said, usage={"prompt_tokens": 3}), b"data: [DONE]\n\n")
    assert [event.kind for event in events] == [EventKind.TEXT, EventKind.USAGE, EventKind.ERROR]
    body = {"choices": [{"message": {"content": "ha"}, "finish_reason": said}]}
    with pytest.raises(AttemptFailed, match="upstream_truncated"):
        PROVIDER.read(_ASK, _CALL, HttpReply(200, {}, orjson.dumps(body)))


def test_a_finish_reason_of_any_shape_is_read() -> None:
    for said in (["stop"], {"type": "stop"}, 7, True):
        body = {"choices": [{"message": {"content": "x"}, "finish_reason": said}]}
        assert PROVIDER.read(_ASK, _CALL, HttpReply(200, {}, orjson.dumps(body))).finish_reason == "stop"
        chunk = {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": said}]}
        assert _read(b"data: " + orjson.dumps(chunk) + b"\n\n")[1]


def test_an_answer_that_was_filtered_may_have_no_message() -> None:
    body = {"choices": [{"finish_reason": "content_filter"}]}
    assert PROVIDER.read(_ASK, _CALL, HttpReply(200, {}, orjson.dumps(body))).finish_reason == "content_filter"


def test_of_two_answers_without_an_end_mark_both_must_have_finished() -> None:
    def ends(*choices: int) -> bool:
        reader = PROVIDER.reader(Ask("chat", "chat", {"n": 2}, is_stream=True), _CALL)
        for number in choices:
            said = {"choices": [{"index": number, "delta": {"content": "x"}, "finish_reason": "stop"}]}
            reader.feed(b"data: " + orjson.dumps(said) + b"\n\n")
        reader.end()
        return reader.is_finished

    assert (ends(0), ends(0, 1)) == (False, True)


def test_what_has_no_event_of_its_own_is_passed_on_even_beside_usage() -> None:
    events, _ = _read(_chunk({"audio": {"id": "a"}}, usage={"prompt_tokens": 3}))
    assert (events[0].kind, events[0].frame is not None, events[1].kind) == (EventKind.OTHER, True, EventKind.USAGE)


def test_text_that_comes_in_parts_is_text() -> None:
    events, _ = _read(_chunk({"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "hi"}]}))
    assert [event.text for event in events] == ["hi"]


def test_the_key_is_only_in_the_header_made_at_send_time() -> None:
    assert PROVIDER.auth_headers(Secret("sk-1")) == (("authorization", "Bearer sk-1"),)
    assert b"sk-1" not in PROVIDER.build(_ASK, "m").body


def test_a_stream_gives_text_finish_and_usage() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    events, is_finished = _read(
        _chunk({"role": "assistant", "content": ""}),
        _chunk({"content": "a"}),
        _chunk({"content": "b"}),
        _chunk({}, "stop"),
        b"data: " + orjson.dumps({"choices": [], "usage": usage}) + b"\n\n",
        b"data: [DONE]\n\n",
    )
    kinds = [event.kind.value for event in events]
    assert kinds == ["other", "text", "text", "finish", "usage", "end"]
    assert is_finished
    assert events[-2].usage == Usage(3, 2)
    assert all(event.frame for event in events[:-1])


def test_a_stream_that_closes_after_its_finish_reason_is_whole_without_done() -> None:
    assert _read(_chunk({"content": "a"}), _chunk({}, "stop"))[1]


def test_a_stream_that_closes_before_its_finish_reason_is_not_whole() -> None:
    assert not _read(_chunk({"content": "a"}))[1]


def test_every_cut_of_a_stream_before_its_finish_reason_is_seen_as_a_cut() -> None:
    stream = _chunk({"content": "hello"}) + _chunk({"content": " world"})
    tail = _chunk({}, "stop") + b"data: [DONE]\n\n"
    for cut in range(len(stream) + 1):
        assert not _read(stream[:cut])[1], cut
    assert _read(stream + tail)[1]


def test_a_finish_reason_is_said_once_even_when_it_comes_twice() -> None:
    events, _ = _read(_chunk({}, "stop"), _chunk({}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 1}))
    assert [event.kind for event in events] == [EventKind.FINISH, EventKind.USAGE]


def test_an_empty_first_chunk_of_a_content_filter_is_not_passed_on() -> None:
    events, _ = _read(b'data: {"choices": [], "prompt_filter_results": []}\n\n', _chunk({"content": "a"}))
    assert [event.kind for event in events] == [EventKind.TEXT]


def test_a_null_usage_later_does_not_wipe_the_one_before() -> None:
    events, _ = _read(
        _chunk({"content": "a"}, usage={"prompt_tokens": 1, "completion_tokens": 2}), _chunk({}, usage=None)
    )
    assert [event.usage for event in events if event.usage] == [Usage(1, 2)]


def test_parallel_tool_calls_keep_their_indices_ids_and_pieces() -> None:
    def piece(index: int, **fields: object) -> dict[str, object]:
        return {"index": index, **fields}

    events, _ = _read(
        _chunk({"tool_calls": [piece(0, id="c0", function={"name": "f", "arguments": ""})]}),
        _chunk({"tool_calls": [piece(1, id="c1", function={"name": "g", "arguments": ""})]}),
        _chunk({"tool_calls": [piece(0, function={"arguments": '{"a":'}), piece(1, function={"arguments": "{}"})]}),
        _chunk({"tool_calls": [piece(0, id="", function={"name": "", "arguments": "1}"})]}),
        _chunk({}, "tool_calls"),
    )
    calls = [event.tool_call for event in events if event.tool_call]
    assert [(c.index, c.call_id, c.name) for c in calls[:2]] == [(0, "c0", "f"), (1, "c1", "g")]
    assert "".join(c.arguments for c in calls if c.index == 0) == '{"a":1}'
    assert all(c.name is None and c.call_id is None for c in calls[2:])


@pytest.mark.parametrize(
    "frame",
    [
        b'data: {"error": {"message": "overloaded", "code": 503}}\n\n',
        b'event: error\ndata: {"error": {"message": "x", "status_code": 400}}\n\n',
        b"data: not json\n\n",
        b"data: [1]\n\n",
        b'data: {"choices": [{"delta": {}}], "error": {"code": 400, "message": "Token limit reached"}}\n\n',
    ],
)
def test_an_error_inside_a_stream_ends_it_as_an_error(frame: bytes) -> None:
    events, is_finished = _read(_chunk({"content": "a"}), frame, b"data: [DONE]\n\n")
    assert events[-1].kind is EventKind.ERROR
    assert events[-1].failure is not None
    assert not is_finished


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_give_events_and_never_an_exception(chunks: list[bytes]) -> None:
    _read(*chunks)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "message", "content", "tool_calls", "function", "usage", "error", "index", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_json_in_a_stream_gives_events_and_never_an_exception(value: object) -> None:
    _read(b"data: " + orjson.dumps(value) + b"\n\n")


@given(_JSON)
def test_any_json_as_a_whole_answer_is_an_answer_or_a_failed_attempt(value: object) -> None:
    for kind in ("chat", "embedding"):
        try:
            PROVIDER.read(Ask(kind, kind, {}), _CALL, HttpReply(200, {}, orjson.dumps(value)))
        except AttemptFailed as exc:
            assert exc.failure.status >= 400


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": 3}]}', b"\xff"]
)
def test_garbage_with_status_200_is_a_failed_attempt(body: bytes) -> None:
    with pytest.raises(AttemptFailed):
        PROVIDER.read(_ASK, _CALL, HttpReply(200, {}, body))


@pytest.mark.parametrize("bad", [float("1e308"), -5, "10", None, True, 2_000_000_000])
def test_t73_counts_that_cannot_be_are_not_usage(bad: object) -> None:
    assert read_usage({"prompt_tokens": bad, "completion_tokens": 1})[0] is None


def test_cached_tokens_never_exceed_the_prompt() -> None:
    usage, _ = read_usage({"prompt_tokens": 7, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 163}})
    assert usage == Usage(7, 1, cached_input_tokens=7)


def test_tokens_said_to_be_read_and_written_are_counted_once() -> None:
    details = {"cached_tokens": 60, "cache_write_tokens": 90}
    usage, _ = read_usage({"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": details})
    assert usage == Usage(100, 1, cached_input_tokens=60, cache_write_tokens=40)


def test_reasoning_that_came_on_top_of_the_completion_is_added() -> None:
    usage, _ = read_usage(
        {
            "prompt_tokens": 12,
            "completion_tokens": 1,
            "total_tokens": 241,
            "completion_tokens_details": {"reasoning_tokens": 228},
        }
    )
    assert usage == Usage(12, 229, reasoning_tokens=228)


@pytest.mark.parametrize(
    ("status", "body", "expected", "blame"),
    [
        (401, {"error": {"message": "Incorrect API key provided: sk-abc"}}, 502, Blame.FAILOVER),
        (403, {"detail": "no"}, 502, Blame.FAILOVER),
        (402, {"error": "Insufficient Balance"}, 502, Blame.FAILOVER),
        (404, {"error": {"message": "model 'x' not found"}}, 404, Blame.FAILOVER),
        (400, {"error": {"message": "bad", "param": "temperature", "code": "unsupported_value"}}, 400, Blame.CALLER),
        (422, {"detail": [{"loc": ["body"], "msg": "extra", "type": "t"}]}, 400, Blame.CALLER),
        (413, {}, 413, Blame.CALLER),
        (429, {"object": "error", "message": "slow down"}, 429, Blame.RETRY),
        (429, {"error": {"code": "insufficient_quota"}}, 502, Blame.FAILOVER),
        (500, None, 502, Blame.FAILOVER),
        (503, [{"error": {"message": "busy"}}], 502, Blame.FAILOVER),
        (524, None, 504, Blame.FAILOVER),
        (200, {"error": {"code": 503, "message": "x"}}, 502, Blame.FAILOVER),
        (200, {"error": {"code": "²²²", "message": "x"}}, 502, Blame.FAILOVER),
        (200, {"error": {"code": "1" * 5000, "message": "x"}}, 502, Blame.FAILOVER),
        (400, {"error": {"message": "maximum context length is 10"}}, 400, Blame.CALLER),
    ],
)
def test_foreign_errors_are_mapped(status: int, body: object, expected: int, blame: Blame) -> None:
    failure = failure_from_body(status, body, {})
    assert (failure.status, failure.blame) == (expected, blame)
    assert "sk-abc" not in failure.message


@given(st.integers(100, 599), _JSON)
def test_any_error_body_is_mapped(status: int, body: object) -> None:
    failure = failure_from_body(status, body, {})
    assert 400 <= failure.status < 600
    assert failure.message.isprintable()


@pytest.mark.parametrize(
    "words",
    [
        "Incorrect API key provided: sk-proj-abcdef1234. You can find",
        "organization org-AbC123xyz in use",
        "key AIzaSyA1234567890abcdefghij is bad",
        "user@example.com over limit",
        "Bearer abc.def.ghi refused",
        "token gsk_1234567890abcdef",
        "sk-pr***************1234",
    ],
)
def test_t25_credentials_and_accounts_are_taken_out_of_a_providers_words(words: str) -> None:
    clean = vetted(words)
    for part in ("sk-pr", "org-AbC", "AIzaSy", "user@", "abc.def", "gsk_"):
        assert part not in clean
    assert "[removed]" in clean


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "1", "retry-after-ms": "0"}, 1.0),
        ({"retry-after": "9", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "nonsense"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1e99"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_in_every_format(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


def test_an_older_finish_that_says_nothing_is_an_answer_that_does_not_say_why_it_ended() -> None:
    """Found by fuzzing."""
    body = {"choices": [{"index": 0, "message": {"content": "x"}, "finish_details": {"type": ""}}]}
    reply = HttpReply(200, {}, orjson.dumps(body))
    answer = PROVIDER.read(Ask("chat", "chat", {}), HttpCall("/chat/completions", b"{}"), reply)
    assert answer.finish_reason is None
