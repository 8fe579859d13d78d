"""What a request's last message tells the mock to do.

(words-50)         answer with 50 words (default 20)
(wait-20)          20 ms before each word; a whole answer waits for all of them
(think)            thoughts before the words, with a signature where the wire has one
(json)             the words are {"city": "Bern"}
(cache-3)          3 of the prompt's tokens came from a cache
(plain)            a stream whose end only the connection's end marks
(cut-at-500)       the connection ends before byte 500 of the answer, head included
(called-7)         with a header that names the answer: `x-request-id: mock-7`
(echo)             answer with the words of the last user message
(tool NAME {json}) call that tool, where the request brings tools; may be repeated
(status-503)       answer 503 with an error of the wire; with (retry-after-7) also that header
(retry-after-7)    `retry-after: 7`; alone it means status 429
(redirect-302)     answer 302 to another path of this mock
(hang)             accept and never answer
(hang-after-3)     3 words, then silence
(heartbeats)       2 words, then SSE comments for ever
(drip)             the answer byte by byte, one every 50 ms; (drip-400) every 400 ms
(cut-after-3)      3 words, then the connection ends as if the answer were complete (close-delimited)
(break-after-3)    3 words, then the connection ends inside a chunk
(reset)            the connection is reset before any answer
(reset-after-3)    3 words, then a reset
(no-done)          a stream without its [DONE]
(no-usage)         no usage, asked for or not
(bad-usage)        usage with numbers that cannot be
(garble)           JSON that is cut off, with bytes that are not UTF-8
(html)             200 with a web page
(error-event)      2 words, then an error event, then the end
(echo-key)         the credential in body, headers and, on a stream, in an error event
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

_WORD = re.compile(r"\(([a-z]+(?:-[a-z]+)*)(?:-(\d+))?\)")
_TOOL = re.compile(r"\(tool ([A-Za-z0-9_-]+) (?=\{)")
DEFAULT_WORDS = 20


@dataclass(slots=True, frozen=True)
class Script:
    """The parsed words: `numbers` holds each word with its number (None where it has none)."""

    numbers: dict[str, int | None] = field(default_factory=dict)
    tools: tuple[tuple[str, Json], ...] = ()

    def says(self, word: str) -> bool:
        return word in self.numbers

    def number(self, word: str, default: int) -> int:
        """The number of `word`; `default` where the word or its number is missing."""
        found = self.numbers.get(word)
        return default if found is None else found

    def stops_after(self, word: str) -> int | None:
        """How many words come before `word` takes effect; None where it was not said."""
        return self.number(word, 0) if self.says(word) else None

    @property
    def seconds_per_word(self) -> float:
        return self.number("wait", 0) / 1000


def parse_script(text: str) -> Script:
    """Reads the words out of `text`; what is no known form is just text."""
    numbers = {name: int(number) if number else None for name, number in _WORD.findall(text)}
    tools = []
    for match in _TOOL.finditer(text):
        arguments, _end = json.JSONDecoder().raw_decode(text, match.end())
        tools.append((match.group(1), arguments))
    return Script(numbers, tuple(tools))


def text_of(content: object) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def last_message(body: Json) -> Json:
    """The last message that is no instruction: some programs add a system message behind the user's."""
    messages = [message for message in body.get("messages") or [] if isinstance(message, dict)]
    return next((m for m in reversed(messages) if m.get("role") not in ("system", "developer")), {})


def last_text(body: Json) -> str:
    """The text that scripts the answer: the last message, or an embedding's (first) input."""
    if isinstance(body.get("messages"), list):
        return text_of(last_message(body).get("content"))
    given = body.get("input")
    if isinstance(given, list):
        return " ".join(part for part in given if isinstance(part, str))
    return given if isinstance(given, str) else ""
