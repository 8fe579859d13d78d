"""Cohere's own library and Voyage's, to rank documents: argv is the server's address, key, model. Prints one JSON
object."""

import json
import sys
from typing import Any

import cohere
from cohere.core.api_error import ApiError

_DOCUMENTS = ["Paris, France", "what is ruby", "ruby"]


def session(address: str, key: str, model: str) -> dict[str, Any]:
    client = cohere.ClientV2(base_url=address, api_key=key)
    ranked = client.rerank(model=model, query="what is ruby", documents=_DOCUMENTS, top_n=2)
    older = cohere.Client(base_url=address, api_key=key).rerank(
        model=model, query="what is ruby", documents=_DOCUMENTS, return_documents=True
    )
    refused: dict[str, Any] = {}
    calls = {
        "bad": lambda: client.rerank(model=model, query="", documents=_DOCUMENTS),
        "stranger": lambda: cohere.ClientV2(base_url=address, api_key=key[:-1]).rerank(
            model=model, query="a", documents=["b"]
        ),
    }
    for name, call in calls.items():
        try:
            call()
        except ApiError as error:
            refused[name] = {"status": error.status_code, "kind": type(error).__name__}
    return {
        "ranked": [each.index for each in ranked.results],
        "is_scored": all(0 <= each.relevance_score <= 1 for each in ranked.results),
        "older": [(each.index, each.document.text if each.document else None) for each in older.results],
        **refused,
    }


if __name__ == "__main__":
    print(json.dumps(session(*sys.argv[1:])))
