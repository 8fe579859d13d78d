"""What kind of work a model does, as far as its name says: of servers that say nothing of their models."""

import re

_EMBEDDING_NAME = re.compile(r"embed|bge-|gte-|e5-|minilm", re.IGNORECASE)
_RANKING_NAME = re.compile(r"rerank|cross-?encoder|llama-rank", re.IGNORECASE)


def is_embedding_name(model: str) -> bool:
    """Whether a model embeds, as far as its name says."""
    return _EMBEDDING_NAME.search(model) is not None and not is_ranking_name(model)


def is_ranking_name(model: str) -> bool:
    """Whether a model ranks, likewise."""
    return _RANKING_NAME.search(model) is not None
