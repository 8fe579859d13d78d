"""The gateway's routes, as the OpenAPI document tells of them. What their bodies hold is said where they were made:
OpenAI's, Anthropic's, Google's and Cohere's own references; a test holds this table against the routes there are."""

from typing import NamedTuple


class Inference(NamedTuple):
    """A route of the gateway. `is_open`: it takes no key."""

    method: str
    path: str
    tag: str
    summary: str
    is_open: bool = False
    media_type: str = "application/json"
    answer: str = "object"


TAGS = {
    "unified": "One endpoint for every task, and what a key can do, has used and has left.",
    "openai": "OpenAI's formats: change the base URL and the key, nothing else.",
    "anthropic": "Anthropic's formats.",
    "google": "Google's formats.",
    "cohere": "Cohere's and Jina's format for ranking.",
    "server": "Whether the server is alive and ready.",
}

INFERENCE: tuple[Inference, ...] = (
    Inference("POST", "/ai-service", "unified", "Any task, told from the body; streams with `stream`"),
    Inference("POST", "/ai-service/explain", "unified", "What the same body would do, and why; asks no provider"),
    Inference("GET", "/ai-service/tasks", "unified", "The tasks, and what of them this key may do"),
    Inference("GET", "/ai-service/usage", "unified", "What this key has used, `from` and `to`"),
    Inference("GET", "/ai-service/limits", "unified", "What this key has left"),
    Inference("GET", "/ai-service/requests/{id}", "unified", "What became of a request of this key"),
    Inference("GET", "/ai-service/{id}/events", "unified", "The rest of a stream that was cut off, `after` an event"),
    Inference("POST", "/ai-service/token", "unified", "A key in, a short-lived token out"),
    Inference("POST", "/ai-service/token/revoke", "unified", "End a token, or all of this key"),
    Inference("POST", "/ai-service/leaked-keys", "unified", "Where a secret scanner reports keys", is_open=True),
    Inference("POST", "/v1/chat/completions", "openai", "Chat"),
    Inference("POST", "/v1/completions", "openai", "A prompt that is gone on with"),
    Inference("POST", "/v1/responses", "openai", "The Responses API, by every provider"),
    Inference("POST", "/v1/responses/input_tokens", "openai", "How many tokens that would be"),
    Inference("GET", "/v1/responses/{id}", "openai", "An answer that was stored"),
    Inference("DELETE", "/v1/responses/{id}", "openai", "Forget a stored answer"),
    Inference("GET", "/v1/responses/{id}/input_items", "openai", "What led to a stored answer"),
    Inference("POST", "/v1/embeddings", "openai", "Vectors of texts"),
    Inference("POST", "/v1/moderations", "openai", "Whether a text is harmful"),
    Inference("POST", "/v1/images/generations", "openai", "Pictures from words"),
    Inference("POST", "/v1/images/edits", "openai", "A picture changed by words"),
    Inference("POST", "/v1/audio/speech", "openai", "Speech from a text", media_type="audio/*", answer="string"),
    Inference("POST", "/v1/audio/transcriptions", "openai", "A recording as text"),
    Inference("POST", "/v1/audio/translations", "openai", "A recording as English text"),
    Inference("GET", "/v1/models", "openai", "The models this key may use"),
    Inference("GET", "/v1/models/{id}", "openai", "One of them"),
    Inference("POST", "/v1/messages", "anthropic", "Messages"),
    Inference("POST", "/v1/messages/count_tokens", "anthropic", "How many tokens that would be"),
    Inference("POST", "/v1beta/models/{model}:generateContent", "google", "Content"),
    Inference("POST", "/v1beta/models/{model}:streamGenerateContent", "google", "Content, as it is made"),
    Inference("POST", "/v1beta/models/{model}:countTokens", "google", "How many tokens that would be"),
    Inference("POST", "/v1beta/models/{model}:embedContent", "google", "A vector of a text"),
    Inference("POST", "/v1beta/models/{model}:batchEmbedContents", "google", "Vectors of texts"),
    Inference("GET", "/v1beta/models", "google", "The models this key may use"),
    Inference("GET", "/v1beta/models/{model}", "google", "One of them"),
    Inference("POST", "/v1/rerank", "cohere", "Documents in the order of a question"),
    Inference("POST", "/v2/rerank", "cohere", "The same, as Cohere's own library asks"),
    Inference("GET", "/healthz", "server", "Alive", is_open=True),
    Inference("GET", "/readyz", "server", "Ready; 503 while it is not", is_open=True),
    Inference("GET", "/metrics", "server", "Prometheus", is_open=True, media_type="text/plain", answer="string"),
    Inference("GET", "/.well-known/jwks.json", "server", "The public keys of tokens", is_open=True),
)
