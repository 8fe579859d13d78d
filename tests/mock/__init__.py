"""A scripted provider (OpenAI's, Anthropic's and Gemini's wires): the upstream of every test that needs one.

Run it as `python -m tests.mock --port 0 --record served.jsonl` (it prints its address as one JSON line), or inside a
test as `async with MockProvider() as mock: mock.base_url`. What it does with a request is written in the request:
see `tests/mock/script.py` for the words it obeys, such as `(wait-20)` or `(cut-after-3)`.
"""

from tests.mock.record import Record, Served
from tests.mock.server import MockProvider

__all__ = ["MockProvider", "Record", "Served"]
