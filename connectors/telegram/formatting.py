"""The safe Markdown subset as the HTML that Telegram understands. Pure."""

from __future__ import annotations

import re

from connectors.cutting import BULLET, INLINE


def html(text: str) -> str:
    """What stands between the marks is escaped, so nothing that is not ours becomes a tag."""
    return _marked(BULLET.sub(r"\1• ", text))


def _marked(text: str) -> str:
    made, at = [], 0
    for found in INLINE.finditer(text):
        made += [escaped(text[at : found.start()]), _tagged(found)]
        at = found.end()
    return "".join([*made, escaped(text[at:])])


def _tagged(found: re.Match[str]) -> str:
    if found["code"] is not None:
        return f"<code>{escaped(found['code'])}</code>"
    if found["bold"] is not None:
        return f"<b>{_marked(found['bold'])}</b>"
    if found["italic"] is not None:
        return f"<i>{_marked(found['italic'])}</i>"
    if found["label"] is not None:
        return _link(found["label"], found["target"])
    return escaped(found["url"])


def _link(label: str, target: str) -> str:
    if not target.startswith(("https://", "http://", "mailto:", "tel:")):
        return f"{_marked(label)} ({escaped(target)})"
    quoted = escaped(target).replace('"', "&quot;")
    return f'<a href="{quoted}">{_marked(label)}</a>'


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
