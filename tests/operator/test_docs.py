"""`/docs`: pages from docs/, links that work, nothing fetched from elsewhere, nothing served that is not a page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from connectors.webchat import Refused
from router.docs_pages import Docs, navigation, slug
from router.web import application

Client = TestClient[Any, Any]
ROOT = Path(__file__).resolve().parents[2]
INDEX = """# Home
## Read
- [One](one.md), [one again](one.md), [elsewhere](https://example.org/)
- [Deep](deep/two.md#a-heading)
## Empty
"""
TWO = """# Two
## A heading
[up](../one.md) and [code](../../router/turn.py), <script>alert(1)</script>, [bad](javascript:alert(1))

| a | b |
|---|---|
| 1 | 2 |

## A heading
![a picture](../images/x.png)
"""


class Read(HTMLParser):
    """What a page links to, names, and loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.append(tag)
        self.ids.add(told.get("id") or "")
        if tag == "a":
            self.links.append(told["href"] or "")
        self.loads += [told[name] or "" for name in ("src",) if name in told]
        if tag == "link":
            self.loads.append(told["href"] or "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "index.md": INDEX,
        "one.md": "# One & only\n",
        "deep/two.md": TWO,
        "notes.txt": "no page",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "x.png").write_bytes(b"\x89PNG")
    return tmp_path


@pytest.fixture
def docs(folder: Path) -> Docs:
    return Docs(folder)


@pytest.fixture
async def browser(docs: Docs) -> AsyncIterator[Client]:
    async with TestClient(TestServer(application(docs.routes(), Refused))) as client:
        yield client


async def get(browser: Client, path: str, status: int = 200) -> Read:
    async with browser.get(path) as response:
        assert response.status == status
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "script-src" not in response.headers["Content-Security-Policy"]
        return Read(await response.text())


async def test_the_index_is_the_navigation_of_every_page(browser: Client) -> None:
    for path in ("/docs", "/docs/", "/docs/one", "/docs/one.md", "/docs/deep/two"):
        page = await get(browser, path)
        navigation = [link for link in page.links if link.startswith("/docs/")][:2]
        assert ["/docs/one", "/docs/deep/two#a-heading"] == navigation, path


def test_a_page_that_the_index_forgot_stands_last(folder: Path) -> None:
    (folder / "late.md").write_text("# Too late")
    page = Read(navigation(Docs(folder), ""))
    assert ["/docs/one", "/docs/deep/two#a-heading", "/docs/late"] == page.links


async def test_links_between_pages_work_and_those_out_of_docs_are_no_links(browser: Client) -> None:
    page = await get(browser, "/docs/deep/two")
    assert "/docs/one" in page.links
    assert not any("turn.py" in link or "javascript" in link for link in page.links)
    assert {"a-heading", "a-heading-1"} <= page.ids
    assert "/docs/images/x.png" in page.loads
    async with browser.get("/docs/images/x.png") as picture:
        assert (picture.status, picture.content_type) == (200, "image/png")


async def test_no_markup_of_a_page_becomes_code_and_nothing_comes_from_elsewhere(browser: Client) -> None:
    page = await get(browser, "/docs/deep/two")
    assert "script" not in page.tags
    assert [load for load in page.loads if not load.startswith("/")] == []


@pytest.mark.parametrize("path", ["none", "notes.txt", "notes", "..%2findex", "deep", "images/y.png"])
async def test_what_is_no_page_is_404_with_a_way_on(browser: Client, folder: Path, path: str) -> None:
    (folder.parent / "secret.md").write_text("# secret")
    page = await get(browser, f"/docs/{path}", 404)
    assert "/docs/one" in page.links


async def test_a_changed_file_is_shown_at_once(browser: Client, folder: Path) -> None:
    await get(browser, "/docs/one")
    (folder / "one.md").write_text("# One\n## New part\n")
    assert "new-part" in (await get(browser, "/docs/one")).ids


def test_headings_are_named_as_on_github() -> None:
    taken: set[str] = set()
    names = [slug(words, taken) for words in ("`POST /turn` (bot)", "What's new?", "What's new?", "Língua é")]
    assert names == ["post-turn-bot", "whats-new", "whats-new-1", "língua-é"]


# ── our own pages ───────────────────────────────────────────────────────────────────────────────────────────────────


def broken_links(folder: Path) -> list[str]:
    """Links of the pages in a folder that lead nowhere: to no page, no heading, no file of the checkout."""
    docs = Docs(folder)
    ids = {name: Read(page.body).ids for name in docs.names if (page := docs.made(name))}
    broken = []
    for name in docs.names:
        path = folder / f"{name}.md"
        for href in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"(?s)```.*?```|`[^`\n]*`", "", path.read_text())):
            target, _, fragment = href.partition("#")
            if ":" in href:
                continue
            file = (path.parent / target).resolve() if target else path.resolve()
            inside = file.is_relative_to(folder.resolve())
            page = file.relative_to(folder.resolve()).as_posix().removesuffix(".md") if inside else ""
            if not file.exists() or (fragment and page in ids and fragment not in ids[page]):
                broken.append(f"{name}: {href}")
    return broken


def test_a_broken_link_is_found(folder: Path) -> None:
    (folder / "one.md").write_text("[a](none.md) [b](deep/two.md#no-heading) [c](deep/two.md#a-heading) `[d](x.md)`")
    assert [f"one: {href}" for href in ("none.md", "deep/two.md#no-heading")] == [
        line for line in broken_links(folder) if line.startswith("one")
    ]


def test_no_link_in_our_documentation_is_broken() -> None:
    assert broken_links(ROOT / "docs") == []


@pytest.mark.parametrize("name", ["README.md", "README.pt-BR.md"])
def test_what_a_readme_points_to_is_there_and_light(name: str) -> None:
    text = (ROOT / name).read_text()
    links = [href.partition("#")[0] for href in re.findall(r"\]\(([^)\s]+)\)", text) if ":" not in href]
    assert len(links) > 10
    assert [href for href in links if not (ROOT / href).exists()] == []
    pictures = re.findall(r'<img src="([^"]+)"[^>]* alt="[^"]{20,}"', text)
    assert len(pictures) >= 2
    assert [picture for picture in pictures if (ROOT / picture).stat().st_size >= 150_000] == []


def test_both_readmes_have_the_same_parts() -> None:
    english, portuguese = ((ROOT / name).read_text() for name in ("README.md", "README.pt-BR.md"))
    assert [line.count("|") for line in english.splitlines() if line.startswith("|")] == [
        line.count("|") for line in portuguese.splitlines() if line.startswith("|")
    ]
    assert english.count("\n## ") == portuguese.count("\n## ")
