"""`/docs`: the documentation of this very version, made from docs/. No script, and nothing is fetched from elsewhere.

Only files that were found at the start are served, so that no path of a request is ever opened.
"""

from __future__ import annotations

import asyncio
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from aiohttp import hdrs, web
from markdown_it import MarkdownIt
from markdown_it.token import Token

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
INDEX = "index"
_IMAGES = {".png": "image/png", ".svg": "image/svg+xml"}
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    body: str
    sections: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """Each second heading with address and words of the pages linked below it: the index is the navigation."""


@dataclass(slots=True)
class Docs:
    """Serves `folder`. A page is made again when its file has changed."""

    folder: Path
    _pages: dict[str, Path] = field(init=False)
    _images: dict[str, Path] = field(init=False)
    _made: dict[str, tuple[int, Page]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = sorted(path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        names = {path.relative_to(self.folder).as_posix(): path for path in found}
        self._pages = {name.removesuffix(".md"): path for name, path in names.items() if name.endswith(".md")}
        self._images = {name: path for name, path in names.items() if path.suffix in _IMAGES}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._pages)

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/docs", self.page), web.get("/docs/{name:.*}", self.page)]

    async def page(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("name", "").removesuffix(".md").strip("/") or INDEX
        headers = {hdrs.CACHE_CONTROL: "no-cache", "Content-Security-Policy": POLICY}
        if name in self._images:
            return web.FileResponse(self._images[name], headers=headers)
        page, text = await asyncio.to_thread(self._shown, name)
        return web.Response(text=text, status=200 if page else 404, content_type="text/html", headers=headers)

    def _shown(self, name: str) -> tuple[Page | None, str]:
        page = self.made(name)
        return page, _document(self, name, page or _MISSING)

    def made(self, name: str) -> Page | None:
        """The page as HTML; None when there is none of that name."""
        path = self._pages.get(name)
        if path is None:
            return None
        changed = path.stat().st_mtime_ns
        kept = self._made.get(name)
        if kept is None or kept[0] != changed:
            kept = changed, self._make(name, path.read_text(encoding="utf-8"))
            self._made[name] = kept
        return kept[1]

    def _make(self, name: str, text: str) -> Page:
        markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
        tokens = markdown.parse(text)
        _name_headings(tokens)
        for token in _inline(tokens):
            self._place(token, name)
        _wrap_tables(tokens)
        headings = [(token.tag, tokens[at + 1]) for at, token in enumerate(tokens) if token.type == "heading_open"]
        title = next((_plain(inline) for tag, inline in headings if tag == "h1"), name)
        return Page(title, markdown.renderer.render(tokens, markdown.options, {}), _sections(tokens))

    def _place(self, token: Token, name: str) -> None:
        """Points links and pictures to where this server has them; what lies outside docs/ is no link."""
        open_links: list[bool] = []
        for child in token.children or []:
            if child.type == "image":
                found = self._resolved(str(child.attrs["src"]), name)
                child.attrs["src"] = found or ""
                child.attrs["loading"] = "lazy"
            elif child.type == "link_open":
                href = str(child.attrs["href"])
                found = href if _ELSEWHERE.match(href) or href.startswith("#") else self._resolved(href, name)
                if found is None:
                    child.tag, child.attrs = "span", {"class": "file"}
                else:
                    child.attrs["href"] = found
                    if _ELSEWHERE.match(found):
                        child.attrs["rel"] = "noreferrer"
                open_links.append(found is None)
            elif child.type == "link_close" and open_links.pop():
                child.tag = "span"

    def _resolved(self, href: str, name: str) -> str | None:
        path, _, fragment = href.partition("#")
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        known = inside in self._images or inside.removesuffix(".md") in self._pages
        if not known:
            return None
        where = "/docs" if inside == f"{INDEX}.md" else f"/docs/{inside.removesuffix('.md')}"
        return f"{where}#{fragment}" if fragment else where


_MISSING = Page(
    "No such page",
    '<h1>No such page</h1><p>The page may have moved. <a href="/docs">All pages</a> are named by who reads them.</p>',
    (),
)


def slug(heading: str, taken: set[str]) -> str:
    """As GitHub makes them, so that one link works in both places."""
    plain = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
    number, name = 0, plain
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    taken.add(name)
    return name


def _name_headings(tokens: list[Token]) -> None:
    taken: set[str] = set()
    for at, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        inline = tokens[at + 1]
        name = slug(_plain(inline), taken)
        token.attrs["id"] = name
        if token.tag != "h1" and inline.children is not None:
            anchor = Token(
                "link_open", "a", 1, attrs={"href": f"#{name}", "class": "anchor", "aria-label": "Link here"}
            )
            inline.children += [anchor, Token("text", "", 0, content="#"), Token("link_close", "a", -1)]


def _wrap_tables(tokens: list[Token]) -> None:
    """A wide table scrolls by itself, also by keyboard."""
    for token in list(tokens):
        if token.type in ("table_open", "table_close"):
            at = next(number for number, one in enumerate(tokens) if one is token)
            opens = token.type == "table_open"
            attributes: dict[str, str | int | float] = {"class": "wide", "tabindex": "0"} if opens else {}
            wrapper = Token(
                "wide_open" if opens else "wide_close", "div", 1 if opens else -1, attrs=attributes, block=True
            )
            tokens.insert(at if opens else at + 1, wrapper)


def _sections(tokens: list[Token]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for at, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            found.append((_plain(tokens[at + 1]), []))
        elif token.type == "inline" and found and tokens[at - 1].type != "heading_open":
            found[-1][1].extend(_links(token))
    # A page that is named twice below one heading stands there once, by its first words.
    return tuple(
        (title, tuple({href: words for words, href in reversed(links)}.items())[::-1]) for title, links in found
    )


def _links(token: Token) -> Iterator[tuple[str, str]]:
    """Words and address of each link to a page of ours."""
    children = token.children or []
    for at, child in enumerate(children):
        if child.type == "link_open" and str(child.attrs.get("href", "")).startswith("/docs"):
            yield children[at + 1].content, str(child.attrs["href"])


def _plain(inline: Token) -> str:
    words = (child.content for child in inline.children or [] if child.type in ("text", "code_inline"))
    return "".join(words).removesuffix("#")


def _inline(tokens: list[Token]) -> Iterator[Token]:
    return (token for token in tokens if token.type == "inline")


def _document(docs: Docs, name: str, page: Page) -> str:
    here = "/docs" if name == INDEX else f"/docs/{name}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(page.title)} · Segue</title>
<link rel="icon" href="/assets/aurora.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/docs.css">
</head>
<body>
<a class="skip" href="#content">Skip to the page</a>
<header class="top"><a class="brand" href="/docs">Segue</a></header>
<div class="columns">
<nav aria-label="Pages">{navigation(docs, here)}</nav>
<main id="content">
{page.body}</main>
</div>
</body>
</html>
"""


def navigation(docs: Docs, here: str) -> str:
    """The index's sections; pages that it forgot stand last."""
    index = docs.made(INDEX)
    sections = index.sections if index else ()
    named = {href.partition("#")[0] for _, links in sections for href, _ in links}
    forgotten = [name for name in docs.names if name != INDEX and f"/docs/{name}" not in named]
    more = tuple((f"/docs/{name}", page.title) for name in forgotten if (page := docs.made(name)))
    parts = []
    for title, links in (*sections, ("More", more)):
        items = "".join(
            f'<li><a href="{escape(href)}"{" aria-current=page" if href == here else ""}>{escape(words)}</a></li>'
            for href, words in links
        )
        if items:
            parts.append(f"<h2>{escape(title)}</h2><ul>{items}</ul>")
    return "".join(parts)
