"""Which connection of the rig a recording is asked of, and by which model's name."""

import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

from aiservice.providers import registry
from tests.replay import forms, wires
from tests.replay.traffic import Recording

# What only the Responses API has: a model of this name is asked there whatever the request.
RESPONSES_MODEL = "gpt-5.1-codex"
_ANTHROPICS = frozenset({wires.ANTHROPIC, wires.ANTHROPIC_COUNT})
_OPENAIS = frozenset({wires.OPENAI_RESPONSES, wires.OPENAI_COUNT})
_OLLAMAS = frozenset({wires.OLLAMA_CHAT, wires.OLLAMA_GENERATE})
_BEDROCKS = frozenset({wires.BEDROCK_CONVERSE, wires.BEDROCK_INVOKE, wires.BEDROCK_COUNT})
# Vendors whose kind has another name.
_KINDS = {"azure": "azure-openai", "ollama": "ollama-openai"}
# Where a kind's own address has a path that these recordings do not go to.
_PATHS = {"bedrock": "", "ollama": "", "vertex": "/v1/projects/p/locations/global"}
_AZURES = (
    (r"/openai/deployments/", "deployments", "/openai/api-version=2024-10-21"),
    (r"/models/", "foundry", "/models/api-version=2024-05-01-preview"),
    (r"", "newest", "/openai/v1"),
)


def kind_for(recording: Recording) -> str:
    """The kind of the connection."""
    provider, wire = recording.provider, recording.wire
    if wire in _ANTHROPICS:
        return "anthropic"
    if wire in _BEDROCKS:
        return "bedrock"
    if wire == wires.GEMINI_INTERACTIONS:
        return "gemini-interactions"
    if wire in _OLLAMAS:
        return "ollama"
    if provider == "gemini" and wire == wires.OPENAI_CHAT:
        return "openai-compatible"  # Google's own imitation of OpenAI's wire
    if wire in _OPENAIS and provider not in ("azure", "bedrock-mantle", "openrouter"):
        return "openai"
    return _KINDS.get(provider, provider)


def connection_for(recording: Recording) -> str:
    """The connection's name: one for each vendor, kind and form of address. One that was tested keeps to the models
    that it found, so that lists of models have connections of their own."""
    use = "lists" if recording.wire == wires.MODELS else "by"
    form = f"-{_azure_of(recording)[1]}" if recording.provider == "azure" else ""
    return f"{recording.provider}-{use}-{kind_for(recording)}{form}"


def path_for(recording: Recording) -> str:
    """What follows the host in the address of the connection."""
    if recording.provider == "azure":
        return _azure_of(recording)[2]
    kind = kind_for(recording)
    return _PATHS[kind] if kind in _PATHS else urlsplit(registry()[kind].default_base_url or "http://any/v1").path


def _azure_of(recording: Recording) -> tuple[str, str, str]:
    return next(form for form in _AZURES if re.search(form[0], recording.url))


def named_model(recording: Recording) -> str:
    """The model that a recording names, in its request, its address or its answer; empty where none does."""
    if recording.url and (model := model_for(recording, is_own=True)) not in ("", "replayed"):
        return model
    try:
        said = json.loads(recording.body) if not recording.is_stream else {}
    except ValueError:
        said = {}
    name = said.get("model") if isinstance(said, dict) else None
    return name if isinstance(name, str) else ""


def model_for(recording: Recording, *, is_own: bool = False) -> str:
    """The recorded model, or one that may do the same work; with `is_own` never one of ours, and "" where none is."""
    wire, place = recording.wire, unquote(urlsplit(recording.url).path)
    if wire == wires.OPENAI_RESPONSES and not is_own:
        return RESPONSES_MODEL
    if isinstance(recording.request, dict) and isinstance(recording.request.get("model"), str):
        return str(recording.request["model"])
    if wire == wires.OPENAI_TRANSCRIPTION and recording.raw_request:
        return next(field.content.decode() for field in forms.read(recording.raw_request) if field.name == "model")
    if "/deployments/" in place:
        return place.split("/deployments/")[1].split("/")[0]
    if wire in _BEDROCKS and "/model/" in place:
        return place.split("/model/")[1].rpartition("/")[0]
    if wire in (wires.DEEPGRAM_LISTEN, wires.DEEPGRAM_SPEAK) and recording.url:
        return parse_qs(urlsplit(recording.url).query)["model"][0]
    if "/models/" in place:
        name = place.split("/models/")[1].split(":")[0]
        is_embedding = wire in (wires.GEMINI_EMBEDDINGS, wires.VERTEX_PREDICT)
        return name if is_own or is_embedding == ("embed" in name) else "gemini-embedding-001"
    if is_own:
        return ""
    if recording.provider == "bedrock" and wire == wires.RERANK:
        return "cohere.rerank-v3-5:0"
    return _MODELS.get(wire, "replayed")


# Of answers that were recorded alone.
_MODELS = {
    wires.OPENAI_EMBEDDINGS: "embed-replayed",
    wires.GEMINI: "gemini-replayed",
    wires.GEMINI_INTERACTIONS: "gemini-2.5-flash",
    wires.GEMINI_EMBEDDINGS: "gemini-embedding-001",
    wires.BEDROCK_CONVERSE: "anthropic.claude-sonnet-4-5",
    wires.COHERE_CHAT: "command-a-03-2025",
    wires.RERANK: "rerank-v3.5",
    wires.OPENAI_IMAGES: "gpt-image-1",
    wires.OPENAI_TRANSCRIPTION: "whisper-large-v3",
    wires.DEEPGRAM_LISTEN: "nova-3",
    wires.ELEVENLABS_STT: "scribe_v1",
    wires.XAI_STT: "grok-stt",
    wires.XAI_TTS: "grok-tts",
}
