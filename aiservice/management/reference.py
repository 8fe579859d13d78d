"""The API's reference as one page of HTML, made from the OpenAPI document: no script, no other file, no other server.
So it can be read offline, and its policy forbids everything but its own style."""

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from typing import Any

Json = dict[str, Any]
_STYLE = """
:root{color-scheme:light dark;--ink:#1c1b19;--soft:#5f5b55;--line:#dcd8d1;--page:#fbfaf8;--card:#fff;--mark:#0b5f56}
@media(prefers-color-scheme:dark){:root{--ink:#eeece8;--soft:#a9a49b;--line:#3a3733;--page:#171614;--card:#201e1b;
--mark:#6fd3c5}}
*{box-sizing:border-box}html{scroll-padding-top:1rem}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1rem 4rem}a{color:var(--mark)}
h1{font-size:1.7rem;margin:0 0 .5rem}h2{font-size:1.25rem;margin:2.5rem 0 .5rem;text-transform:capitalize}
p{margin:.4rem 0}.soft{color:var(--soft)}nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1rem;list-style:none;padding:0}
nav a{display:inline-block;padding:.15rem 0}
details{background:var(--card);border:1px solid var(--line);border-radius:.5rem;margin:.4rem 0}
summary{padding:.6rem .8rem;cursor:pointer;overflow-wrap:anywhere}
summary:focus-visible,a:focus-visible{outline:3px solid var(--mark);outline-offset:2px;border-radius:.3rem}
.in{padding:0 .8rem .8rem}code,pre{font:.9em/1.5 ui-monospace,monospace}b.m{display:inline-block;min-width:4.2rem;
color:var(--mark);font:700 .85em ui-monospace,monospace}
pre{background:var(--page);border:1px solid var(--line);border-radius:.4rem;padding:.6rem;
white-space:pre-wrap;overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:.5rem 0}caption{text-align:left;
font-weight:600;padding:.4rem 0}
td{overflow-wrap:anywhere}td:first-child{min-width:7rem}td:last-child{min-width:9rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--soft);font-weight:500}
"""
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)
_MOST_DEPTH = 3
_PARAGRAPH = "\n\n"


def page_of(document: Json) -> bytes:
    """The page. Everything in it that is not ours to say is escaped."""
    tags: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    words = {tag["name"]: tag.get("description", "") for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tags[operation["tags"][0]].append(_operation(document, path, method, operation))
    links = "".join(f'<li><a href="#{escape(name)}">{escape(name)}</a></li>' for name in tags)
    sections = "".join(
        f'<section aria-labelledby="{escape(name)}"><h2 id="{escape(name)}">{escape(name.replace("-", " "))}</h2>'
        f'<p class="soft">{escape(words[name])}</p>{"".join(each)}</section>'
        for name, each in tags.items()
    )
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>API reference: aiservice</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>API reference</h1>"
        f"{''.join(f'<p>{_marked(part)}</p>' for part in info['description'].split(_PARAGRAPH))}"
        f'<p class="soft">Version {escape(info["version"])}. The same for programs, OpenAPI 3.1: '
        '<a href="openapi.json">openapi.json</a>. <a href="docs/start">Guides</a>. <a href="./">To the portal</a>.</p>'
        f'<nav aria-label="Parts"><ul>{links}</ul></nav>{sections}</main></body></html>'
    ).encode()


def _operation(document: Json, path: str, method: str, operation: Json) -> str:
    anchor = escape(operation["operationId"])
    words = f'<span class="soft">{escape(operation["summary"])}</span>'
    head = f'<b class="m">{method.upper()}</b> <code>{escape(path)}</code> {words}'
    parts = [f"<p>{_marked(operation['description'])}</p>"] if "description" in operation else []
    if "x-token" in operation:
        parts.append(
            f'<p class="soft">Takes a token that may {escape(operation["x-token"])}. '
            f"Named <code>{escape(operation['x-action'])}</code> among the rights.</p>"
        )
    parts.append(f"<pre>{escape(_curl(path, method, operation, document))}</pre>")
    rows = [
        (each["name"], f"{each['in']}, {_kind(each.get('schema', {}))}", each.get("required"), each.get("description"))
        for each in operation.get("parameters", ())
    ]
    parts.append(_table("Parameters", rows))
    if "requestBody" in operation:
        parts.append(_schema(document, "Body", operation["requestBody"]))
    for status, answer in operation["responses"].items():
        if "content" in answer and status != "default":
            parts.append(_schema(document, f"Answer, {status}", answer, is_asked=False))
    return f'<details id="{anchor}"><summary>{head}</summary><div class="in">{"".join(parts)}</div></details>'


def _curl(path: str, method: str, operation: Json, document: Json) -> str:
    key = "$TOKEN" if "x-token" in operation else "$KEY"
    shown = path.replace("{", "$").replace("}", "")
    lines = [f'curl {"" if method == "get" else f"-X {method.upper()} "}"$BASE{shown}"']
    if operation.get("security"):
        lines.append(f'  -H "Authorization: Bearer {key}"')
    if "requestBody" in operation and "x-token" in operation:
        lines.append("  -d '{…}'")
    return " \\\n".join(lines)


def _schema(document: Json, title: str, holder: Json, *, is_asked: bool = True) -> str:
    media_type, content = next(iter(holder["content"].items()))
    rows = [
        (name, kind, is_asked and is_required, words)
        for name, kind, is_required, words in _rows(document, content["schema"], "", 0)
    ]
    if rows:
        return _table(title, rows)
    return f'<p><strong>{escape(title)}</strong>: <span class="soft">{escape(media_type)}</span></p>'


def _rows(document: Json, schema: Json, prefix: str, depth: int) -> Iterable[tuple[str, str, Any, Any]]:
    """The fields of an object, and of the objects in it."""
    schema = _resolved(document, schema)
    required = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        plain = _resolved(document, each)
        yield f"{prefix}{name}", _kind(each), name in required, each.get("description")
        inner = plain.get("items", plain) if plain.get("type") == "array" else plain
        if depth < _MOST_DEPTH:
            mark = "[]." if plain.get("type") == "array" else "."
            yield from _rows(document, inner, f"{prefix}{name}{mark}", depth + 1)


def _resolved(document: Json, schema: Json) -> Json:
    """The schema that a reference names; of "this or null", this."""
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if len(options) == 1:
        return _resolved(document, options[0])
    if "$ref" in schema:
        found: Json = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def _kind(schema: Json) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " | ".join(str(each) or '""' for each in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")


def _table(title: str, rows: Iterable[tuple[str, str, Any, Any]]) -> str:
    lines = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}{'' if required is not True else ', required'}</td>"
        f"<td>{_marked(str(words or ''))}</td></tr>"
        for name, kind, required, words in rows
    )
    if not lines:
        return ""
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Name", "Kind", "What"))
    named = escape(title)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{named}"><table><caption>{named}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _marked(text: str) -> str:
    """Escaped, with what stands between back ticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
