"""Fuzzing that is led by what it reaches: `python -m tests.replay.covered FOLDER [libFuzzer's options]`.

Atheris (https://github.com/google/atheris) changes an input, sees which lines of our parsers that reaches, and goes on
from those that reached something new: it finds the way into branches that chance alone does not. An input is two bytes
that choose who reads it, and what is read: a vendor's answer, or a client's body. FOLDER is filled with the recordings
first. An exception that is no refusal ends it with a status other than 0.
"""

import sys
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["aiservice.dialects", "aiservice.kit", "aiservice.providers", "aiservice.tasks"]
):
    from aiservice.dialects import ai_service
    from aiservice.errors import BrokerError
    from aiservice.kit.strict_json import BadJson, parse
    from aiservice.providers import registry
    from aiservice.providers._base import AttemptFailed, LocalProvider
    from aiservice.wire import HttpReply
    from tests.replay.fuzzing import CHUNK_BYTES, DIALECTS, Sample, requests, samples

    # Vendors are looked up, and thus imported, by the first who asks.
    PROVIDERS = [one for one in registry().values() if not isinstance(one, LocalProvider)]
    ai_service.prepare()

import orjson

MAX_BYTES = 32 * 1024
_STATUSES = (400, 401, 404, 413, 429, 500, 503, 529)
_MODELS = ("m", "gpt-5.1-codex", "claude-opus-4-7", "gemini-2.5-flash", "embed-1")


def read(given: bytes) -> None:
    """Hands an input to whoever its first two bytes say."""
    if len(given) < 3:
        return
    number, body = int.from_bytes(given[:2], "big"), given[2:]
    if number & 1:
        _by_client(number >> 1, body)
    else:
        _by_vendor(samples()[(number >> 1) % len(samples())], body)


def _by_vendor(sample: Sample, body: bytes) -> None:
    provider = sample.provider
    if sample.ask.is_stream:
        reader = provider.reader(sample.ask, sample.call)
        for at in range(0, len(body), CHUNK_BYTES):
            reader.feed(body[at : at + CHUNK_BYTES])
        reader.end()
        return
    headers = sample.recording.headers
    with suppress(AttemptFailed):
        provider.read(sample.ask, sample.call, HttpReply(200, headers, body))
    with suppress(AttemptFailed):
        provider.models_in(HttpReply(200, headers, body))
    refusal = HttpReply(_STATUSES[len(body) % len(_STATUSES)], headers, body)
    provider.failure(refusal)
    provider.quota_in_refusal(refusal)


def _by_client(number: int, body: bytes) -> None:
    try:
        said = parse(body)
    except BadJson:
        return
    if not isinstance(said, dict):
        return
    number, place = divmod(number, len(DIALECTS))
    with suppress(AttemptFailed, BrokerError):
        ask = DIALECTS[place].read(said).ask
        PROVIDERS[number % len(PROVIDERS)].build(ask, _MODELS[len(body) % len(_MODELS)])


def fill(folder: Path) -> None:
    """Writes what the recordings say as inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(samples()):
        (folder / f"answer{number}").write_bytes((number << 1).to_bytes(2, "big") + sample.recording.body[:MAX_BYTES])
    for number, body in enumerate(requests()):
        chosen = ((number % 0x7FFF) << 1 | 1).to_bytes(2, "big")
        (folder / f"body{number}").write_bytes(chosen + orjson.dumps(body)[:MAX_BYTES])


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
