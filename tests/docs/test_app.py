"""The documentation as browsers and programs get it: pages, Markdown, search, llms.txt; no link leads nowhere."""

import re
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from aiservice.docs import Docs
from aiservice.docs.pages import GUIDES, guides, pages, search
from aiservice.settings import Settings

SETTINGS = Settings()


async def ask(
    path: str, query: str = "", method: str = "GET", settings: Settings = SETTINGS
) -> tuple[int, dict[str, str], str]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "scheme": "http",
        "headers": [(b"host", b"broker.example:8000")], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await Docs(lambda: settings)(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, sent[1]["body"].decode()


async def test_every_page_is_there_as_html_and_as_markdown_and_asks_no_other_site() -> None:
    for path in pages():
        status, headers, body = await ask(path)
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8"), path
        assert "default-src 'none'" in headers["content-security-policy"]
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', body), path
        assert "{{" not in body, path
        status, headers, text = await ask(f"{path}.md")
        assert (status, headers["content-type"]) == (200, "text/markdown; charset=utf-8"), path
        assert text.startswith("# "), path


async def test_every_link_of_every_page_leads_to_a_page() -> None:
    known = {*pages(), "/docs", "/", "/docs/search", "/docs/docs.css", "/docs/docs.js", "/favicon.svg"}
    for path in pages():
        _, _, body = await ask(path)
        for link in re.findall(r'(?:href|src|action)="(/[^"]*)"', body):
            assert link.split("?")[0].removesuffix(".md") in known, (path, link)


async def test_examples_hold_the_address_of_this_installation() -> None:
    _, _, body = await ask("/docs/first-call")
    assert "http://broker.example:8000/v1" in body
    told = Settings(public_url="https://ai.example.org/broker")
    _, _, body = await ask("/docs/first-call", settings=told)
    assert "https://ai.example.org/broker/v1" in body
    assert 'href="/broker/docs/keys"' in body


async def test_llms_txt_lists_every_guide_as_markdown_that_is_there() -> None:
    _, headers, text = await ask("/llms.txt")
    assert headers["content-type"] == "text/plain; charset=utf-8"
    listed = re.findall(r"\(http://broker\.example:8000(/docs/[a-z-]+)\.md\)", text)
    assert listed == [f"/docs/{name}" for name in GUIDES[1:]]
    _, _, everything = await ask("/llms-full.txt")
    assert all(page.title in everything for page in guides())


async def test_the_palettes_index_names_every_page() -> None:
    _, _, body = await ask("/docs/index.json")
    assert {page["path"] for page in orjson.loads(body)} == {*pages(), "/docs"}


async def test_a_code_is_found_by_its_name_and_what_is_searched_for_is_escaped() -> None:
    assert search("client_rpm")[0].path == "/docs/errors/client_rpm_exceeded"
    assert search("no such word anywhere at all") == []
    _, _, body = await ask("/docs/search", "q=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in body
    assert "&lt;script&gt;" in body


@given(st.text(max_size=80))
def test_any_text_can_be_searched_for(text: str) -> None:
    assert len(search(text)) <= 20


async def test_what_is_not_there_is_a_page_that_says_so_and_only_reading_is_taken() -> None:
    status, _, body = await ask("/docs/nothing")
    assert status == 404
    assert "There is no such page" in body
    assert (await ask("/docs/"))[0] == 200
    assert (await ask("/docs/start", method="POST"))[0] == 405
    assert (await ask("/docs/start", method="HEAD"))[2] == ""


async def test_the_files_beside_the_pages_are_kept_for_ever_under_the_name_of_their_content() -> None:
    _, _, body = await ask("/docs/start")
    for link in re.findall(r"/docs/docs\.(?:css|js)\?v=[0-9a-f]{8}", body):
        assert (await ask(link.split("?")[0]))[1]["cache-control"] == "public, max-age=31536000, immutable"
