"""The OpenAPI 3.1 document of everything a program may call: management, from its rows and their models, and the
gateway's routes, from a table of words (`inference.py`)."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from aiservice import __version__
from aiservice.management.inference import INFERENCE, TAGS, Inference
from aiservice.management.models import CsvLines, Told
from aiservice.management.problems import MEDIA_TYPE, title_of
from aiservice.management.rows import Row

Json = dict[str, Any]
_REF = "#/components/schemas/"
_PAGE = re.compile(r"Page_(\w+)_")
_ABOUT = """
Programs that infer send a client key; programs that manage send an access token of a person (`ais_pat_…`, made on the
portal's page Access tokens) and act with that person's own rights.

Lists come in pages: `limit`, and `cursor` from the page before. What a PATCH leaves out stays as it is. An answer to a
GET carries an `ETag`; sent back as `If-Match`, a change is made only where nobody was faster (412). An
`Idempotency-Key` on a POST makes it take effect once in 24 hours: 409 while it is being made, 422 with another body;
the replay of a secret holds none. Errors of management are problem details (RFC 9457) with our `code` and every field
at fault.
"""
_PROBLEM: Json = {
    "type": "object",
    "description": "Problem details, RFC 9457.",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "A page that tells what to do."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string", "description": "Stable, for programs."},
        "request_id": {"type": "string"},
        "retry_after": {"type": "number", "description": "Seconds."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "A field of the body: RFC 6901, as a fragment."},
                    "parameter": {"type": "string", "description": "A parameter of the query."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
_ONCE: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Makes the call take effect once in 24 hours.",
}
_SECURITY: Json = {
    "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "ais_pat_…", "description": "Management."},
    "clientKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "ais_live_… or a token",
        "description": "Inference.",
    },
    "clientKeyHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "The same, as Anthropic's.",
    },
    "googleKeyHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "x-goog-api-key",
        "description": "The same, as Google's.",
    },
}


def document(rows: Iterable[Row], base_url: str) -> Json:
    """The whole document; `base_url` is where the routes are, or empty for wherever it was read from."""
    rows = tuple(rows)
    schemas = _Schemas(rows)
    paths: Json = {}
    for route in INFERENCE:
        paths.setdefault(route.path, {})[route.method.lower()] = _inference(route)
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, schemas)
    management = dict.fromkeys(row.tag for row in rows)
    refused = _content({"$ref": f"{_REF}Problem"}, MEDIA_TYPE)
    return {
        "openapi": "3.1.0",
        "info": {"title": "aiservice", "version": __version__, "description": _ABOUT.strip()},
        "servers": [{"url": base_url or "/"}],
        "tags": [
            *({"name": name, "description": words} for name, words in TAGS.items()),
            *({"name": t} for t in management),
        ],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM, **schemas.everything},
            "responses": {"Problem": {"description": "What went wrong.", "content": refused}},
            "securitySchemes": _SECURITY,
        },
    }


class _Schemas:
    """The models of all rows as schemas, under names that say what they are."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        wanted: list[tuple[type[BaseModel], Any]] = [(row.body, "validation") for row in rows if row.body is not None]
        wanted += [(model, "serialization") for row in rows if (model := _told(row)) is not None]
        self._names, made = models_json_schema(list(dict.fromkeys(wanted)), ref_template=_REF + "{model}")
        self.everything: Json = _renamed(made["$defs"])

    def of(self, model: type[BaseModel], mode: str) -> Json:
        found: Json = _renamed(self._names[model, mode])  # type: ignore[index]
        return found


def _renamed(schema: Any) -> Any:
    """The same, with the names of our classes made into those of things."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return {"$ref": _REF + name_of(schema["$ref"].removeprefix(_REF))}
        return {name_of(name) if isinstance(each, dict) else name: _renamed(each) for name, each in schema.items()}
    return [_renamed(each) for each in schema] if isinstance(schema, list) else schema


def name_of(name: str) -> str:
    """`ClientTold` is a Client, `Page_ClientTold_` a ClientPage."""
    if page := _PAGE.fullmatch(name):
        return f"{name_of(page[1])}Page"
    return name[:-4] if name.endswith("Told") and len(name) > 4 else name


def _told(row: Row) -> type[Told] | None:
    return row.answer if row.answer is not None and issubclass(row.answer, Told) else None


def _operation(row: Row, schemas: _Schemas) -> Json:
    problem = {"$ref": "#/components/responses/Problem"}
    told: Json = {
        "operationId": operation_id(row.method, row.path),
        "summary": row.summary,
        "tags": [row.tag],
        "security": [{"accessToken": []}],
        "x-action": row.action,
        "x-token": "read" if row.is_reading else "write",
        "parameters": [*_path_parameters(row.path), *_query(row), *_headers(row)],
        "responses": {str(row.status): _answer(row, schemas), "default": problem},
    }
    if (doc := row.run.__doc__) is not None:
        told["description"] = " ".join(doc.split())
    if row.body is not None:
        told["requestBody"] = {
            "required": any(field.is_required() for field in row.body.model_fields.values()),
            "content": _content(schemas.of(row.body, "validation")),
        }
    return told


def _answer(row: Row, schemas: _Schemas) -> Json:
    described: Json = {"description": title_of(row.status)}
    if row.answer is CsvLines:
        described["content"] = _content({"type": "string"}, "text/csv")
    elif (model := _told(row)) is not None:
        described["content"] = _content(schemas.of(model, "serialization"))
        if row.method == "GET":
            described["headers"] = {"ETag": {"schema": {"type": "string"}}}
    return described


def _path_parameters(path: str) -> list[Json]:
    names = re.findall(r"\{([a-z_]+)\}", path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query(row: Row) -> list[Json]:
    if row.query is None:
        return []
    schema = row.query.model_json_schema()
    parameters = []
    for name, each in schema["properties"].items():
        described = {key: value for key, value in each.items() if key not in ("title", "description")}
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": described}
        if "description" in each:
            parameter["description"] = each["description"]
        parameters.append(parameter)
    return parameters


def _headers(row: Row) -> list[Json]:
    if row.method == "POST":
        return [_ONCE]
    if row.method in ("PATCH", "PUT", "DELETE"):
        words = "The ETag that was read: only where it is still that (412)."
        return [{"name": "If-Match", "in": "header", "schema": {"type": "string"}, "description": words}]
    return []


def _inference(route: Inference) -> Json:
    told: Json = {
        "operationId": operation_id(route.method, route.path),
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": _path_parameters(route.path),
        "responses": {"200": {"description": "OK", "content": _content({"type": route.answer}, route.media_type)}},
    }
    if route.is_open:
        told["security"] = []
    else:
        told["security"] = [{name: []} for name in ("clientKey", "clientKeyHeader", "googleKeyHeader")]
        told["responses"]["default"] = {"description": "An error, in the words of its surface."}
    if route.method == "POST":
        told["requestBody"] = {"required": True, "content": _content({"type": "object"})}
        told["parameters"].append(_ONCE)
    return told


def operation_id(method: str, path: str) -> str:
    """`post_keys_key_roll` of `POST /api/keys/{key}/roll`."""
    return f"{method.lower()}_" + "_".join(re.findall(r"[A-Za-z0-9]+", path.removeprefix("/api")))


def _content(schema: Json, media_type: str = "application/json") -> Json:
    return {media_type: {"schema": schema}}
