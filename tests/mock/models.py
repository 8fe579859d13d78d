"""The lists of models, in the form of whoever asks."""

from tests.mock.connection import Request
from tests.mock.plan import CREATED, MODELS
from tests.mock.script import Json

VERTEX_MODELS = ("gemini-2.5-flash", "text-embedding-005", "imagegeneration", "imagen-4.0")


def models_answer(request: Request) -> Json | None:
    """The list, or one of it; None where the path asks for neither."""
    if request.path == "/v1beta1/publishers/google/models":
        return {"publisherModels": [{"name": f"publishers/google/models/{name}"} for name in VERTEX_MODELS]}
    if request.path.startswith("/v1beta/models"):
        listed = [{"name": f"models/{name}", "displayName": name} for name in MODELS]
        return {"models": listed} if request.path == "/v1beta/models" else None
    if "anthropic-version" in request.headers:
        items: list[Json] = [{"type": "model", "id": name, "display_name": name} for name in MODELS]
        whole: Json = {"data": items, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
    else:
        items = [{"id": name, "object": "model", "created": CREATED, "owned_by": "mock"} for name in MODELS]
        whole = {"object": "list", "data": items}
    if request.path == "/v1/models":
        return whole
    name = request.path.removeprefix("/v1/models/")
    return next((item for item in items if item["id"] == name), None)
