"""What a prompt is estimated to cost before a provider has said it."""

import pytest

from aiservice.gateway.counting import estimated_input
from aiservice.wire import Ask


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"messages": [{"role": "user", "content": "x" * 40}]}, 14),
        ({"messages": [{"role": "user", "content": "x" * 40}, {"role": "assistant", "content": None}]}, 18),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 40}, {"type": "image_url"}, 3]}]},
            614,
        ),
        ({"messages": [{"role": "user", "content": ""}], "tools": [{"a": "b"}]}, 6),
        (
            {
                "messages": [
                    {"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": "x" * 40}}]}
                ]
            },
            14,
        ),
        ({"input": ["x"]}, 25),
    ],
)
def test_a_prompt_is_estimated_by_its_text(body: dict[str, object], tokens: int) -> None:
    assert estimated_input(Ask("chat", "chat", body), 100) == tokens
