"""Which wire a recorded address is, and what is not replayed: every ruling, with its reason.

There are three reasons to leave a recording out, and "we do not serve it" is none of them: its endpoint is outside the
contract, its body or a field of it is missing, or it was redacted beyond use. An address that no line here knows fails.
"""

import re

OPENAI_CHAT, OPENAI_RESPONSES, OPENAI_EMBEDDINGS = "openai-chat", "openai-responses", "openai-embeddings"
OPENAI_COMPLETIONS, OPENAI_MODERATIONS, OPENAI_IMAGES = "openai-completions", "openai-moderations", "openai-images"
OPENAI_SPEECH, OPENAI_TRANSCRIPTION = "openai-speech", "openai-transcription"
OPENAI_COUNT = "openai-input-tokens"
ANTHROPIC, ANTHROPIC_COUNT = "anthropic-messages", "anthropic-count"
GEMINI, GEMINI_EMBEDDINGS, GEMINI_COUNT = "gemini-generate", "gemini-embeddings", "gemini-count"
GEMINI_SPEECH, GEMINI_INTERACTIONS = "gemini-speech", "gemini-interactions"
VERTEX_PREDICT, GOOGLE_TOKEN = "vertex-predict", "google-token"
BEDROCK_CONVERSE, BEDROCK_INVOKE, BEDROCK_COUNT = "bedrock-converse", "bedrock-invoke", "bedrock-count"
COHERE_CHAT, COHERE_EMBED, RERANK = "cohere-chat", "cohere-embed", "rerank"
OLLAMA_CHAT, OLLAMA_GENERATE = "ollama-chat", "ollama-generate"
DEEPGRAM_LISTEN, DEEPGRAM_SPEAK, XAI_STT, XAI_TTS = "deepgram-listen", "deepgram-speak", "xai-stt", "xai-tts"
ELEVENLABS_STT, MODELS = "elevenlabs-stt", "models"

OUTSIDE = "endpoint outside the contract"
MISSING = "field or body missing from the recording"
REDACTED = "redacted beyond use"

# The first that matches the address without its query. A recording of an outside endpoint never gets this far.
_POSTED: tuple[tuple[str, str], ...] = (
    (r"portkey\.ai/v1/prompts/[^/]+/completions$", OPENAI_CHAT),  # a stored prompt is Portkey's; its answer is chat's
    (r"/chat/completions(#stream)?$", OPENAI_CHAT),
    (r"api\.writer\.com/v1/chat$", OPENAI_CHAT),
    (r"/completions$", OPENAI_COMPLETIONS),
    (r"/responses/input_tokens$", OPENAI_COUNT),
    (r"/responses$", OPENAI_RESPONSES),
    (r"/embeddings$", OPENAI_EMBEDDINGS),
    (r"/moderations$", OPENAI_MODERATIONS),
    (r"/images(/generations|/edits)?$", OPENAI_IMAGES),
    (r"/audio/speech$", OPENAI_SPEECH),
    (r"/audio/(transcriptions|translations)$", OPENAI_TRANSCRIPTION),
    (r"/v1/messages/count_tokens$", ANTHROPIC_COUNT),
    (r"/v1/messages$", ANTHROPIC),
    (r":(stream)?[gG]enerateContent$", GEMINI),
    (r":(batchE|e)mbedContents?$", GEMINI_EMBEDDINGS),
    (r":countTokens$", GEMINI_COUNT),
    (r":predict$", VERTEX_PREDICT),
    (r"/v1beta/interactions$", GEMINI_INTERACTIONS),
    (r"oauth2\.googleapis\.com/token$", GOOGLE_TOKEN),
    (r"/model/[^/]+/converse(-stream)?$", BEDROCK_CONVERSE),
    (r"/model/[^/]+/invoke(-with-response-stream)?$", BEDROCK_INVOKE),
    (r"/model/[^/]+/count-tokens$", BEDROCK_COUNT),
    (r"/v2/chat$", COHERE_CHAT),
    (r"/v[12]/embed$", COHERE_EMBED),
    (r"/rerank$", RERANK),
    (r"/api/chat$", OLLAMA_CHAT),
    (r"/api/generate$", OLLAMA_GENERATE),
    (r"/v1/listen$", DEEPGRAM_LISTEN),
    (r"/v1/speak$", DEEPGRAM_SPEAK),
    (r"api\.x\.ai/v1/stt$", XAI_STT),
    (r"api\.x\.ai/v1/tts$", XAI_TTS),
)
_GOT: tuple[tuple[str, str], ...] = ((r"/models(/[^/]+)?$", MODELS),)
_OUTSIDE: tuple[tuple[str, str], ...] = (
    (r"(/batch/jobs|/batches)(/|$)|:batchGenerateContent$", "batches"),
    (r"/threads/", "assistants' threads"),
    (r"/vector_stores/", "vector stores"),
    (r"/files(/|$)", "files"),
    (r"/cachedContents(/|$)", "cached contents"),
    (r"/ocr$", "ocr"),
    # Models with a stream of their own there; Converse has the same models, and is what we ask them by.
    (r"/model/amazon\.[^/]+/invoke-with-response-stream$", "InvokeModel's own streams of models that Converse serves"),
    (r"//imgen\.x\.ai/", "a picture that the client itself loads from where the answer says"),
    (r"DELETE .*/models/", "fine-tuned models"),
)
# Body-only files have no address: the index names what they are an answer of.
_BODY_ONLY = {
    "chat": OPENAI_CHAT,
    "completions": OPENAI_COMPLETIONS,
    "responses": OPENAI_RESPONSES,
    "messages": ANTHROPIC,
    "streamGenerateContent": GEMINI,
    "interactions": GEMINI_INTERACTIONS,
    "v2/chat": COHERE_CHAT,
    "v2/rerank": RERANK,
    "rerank": RERANK,
    "native-chat": OLLAMA_CHAT,
    "images": OPENAI_IMAGES,
    "audio/transcriptions": OPENAI_TRANSCRIPTION,
    "listen": DEEPGRAM_LISTEN,
    "speech-to-text": ELEVENLABS_STT,
}
_OUTSIDE_BODY_ONLY = {
    "realtime (WebSocket messages)": "realtime",
    "stt (async job)": "jobs that are uploaded, begun and asked for in three calls",
}


def wire_of(method: str, url: str) -> tuple[str, str | None]:
    """(wire, reason to leave it out or None) of a recorded call; no wire and no reason: nobody has ruled on it."""
    address = url.split("?", maxsplit=1)[0]
    for pattern, what in _OUTSIDE:
        if re.search(pattern, f"{method} {address}"):
            return "", f"{OUTSIDE} ({what})"
    known = {"POST": _POSTED, "GET": _GOT}.get(method, ())
    return next((wire for pattern, wire in known if re.search(pattern, address)), ""), None


def wire_of_answer(endpoint: str) -> tuple[str, str | None]:
    """The same for an answer that was recorded alone."""
    if endpoint in _OUTSIDE_BODY_ONLY:
        return "", f"{OUTSIDE} ({_OUTSIDE_BODY_ONLY[endpoint]})"
    return _BODY_ONLY.get(endpoint, ""), None
