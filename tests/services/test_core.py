"""What the services say when they start."""

import logging
from dataclasses import replace

import pytest

from aiservice.services.opening import open_core
from aiservice.settings import Settings


async def test_provider_keys_of_the_environment_are_offered_and_never_used(
    installed: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    names = frozenset({"ANTHROPIC_API_KEY", "GROQ_API_KEY"})
    with caplog.at_level(logging.INFO):
        async with open_core(replace(installed, importable_provider_keys=names), is_serving=True) as core:
            assert not any(view.has_key for view in core.connections.snapshot())
    offers = [record.message for record in caplog.records if "To use it" in record.message]
    assert 'echo "$ANTHROPIC_API_KEY" | python -m aiservice provider add anthropic --name anthropic' in offers[0]
    assert "provider add groq --name groq" in offers[1]
