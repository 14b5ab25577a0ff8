"""Text cut to a channel's measure: split, shortened, freed of Markdown.

Pure, and never inside what a person sees as one character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# The safe Markdown subset: the tokens of web/shared/markdown.js. The bounds keep a hostile text from being read again
# and again. Groups: code, bold, italic, label with target, url.
INLINE = re.compile(
    r"`(?P<code>[^`\n]{1,500})`"
    r"|\*\*(?P<bold>[^*\n]{1,1000})\*\*"
    r"|(?<![\w*])(?P<mark>[*_])(?! )(?P<italic>[^*_\n]{1,1000})(?P=mark)(?![\w*])"
    r"|\[(?P<label>[^\]\n]{1,300})\]\((?P<target>[^()\s]{1,2000})\)"
    r"|(?P<url>https?://[^\s<>\"'`*\])]*[^\s<>\"'`*\]).,;:!?])"
)
BULLET = re.compile(r"^([ \t]*)[*•][ \t]+", re.MULTILINE)
_LINK = re.compile(r"\[[^\]\n]{1,300}\]\([^()\s]{1,2000}\)|(?:https?://|mailto:|www\.)\S+")

_PARAGRAPH = re.compile(r"[^\S\n]*\n[^\S\n]*\n\s*")
_LINE = re.compile(r"[^\S\n]*\n\s*")
_SENTENCE = re.compile(r"(?<=[.!?…。！？])\s+")
_WORD = re.compile(r"\s+")

_LOOK_AHEAD = 2400
"""Characters behind a possible cut that are read to see whether it falls into a link."""

ELLIPSIS = "…"


def plain(text: str) -> str:
    """The text without the marks of the safe Markdown subset; a link becomes `words (address)`."""
    return INLINE.sub(_unmarked, BULLET.sub(r"\1- ", text))


def _unmarked(found: re.Match[str]) -> str:
    if found["code"] is not None:
        return found["code"]
    if found["bold"] is not None:
        return plain(found["bold"])
    if found["italic"] is not None:
        return plain(found["italic"])
    if found["label"] is not None:
        label, target = plain(found["label"]), found["target"]
        return target if label in (target, target.partition(":")[2]) else f"{label} ({target})"
    return found["url"]


def split(text: str, longest: int) -> tuple[str, ...]:
    """Pieces of at most `longest` characters, cut between paragraphs, else lines, sentences, words, else characters.

    What is lost is white space at the cuts alone. A link is cut only when it is longer than a whole piece.
    """
    longest = max(longest, 1)
    pieces = []
    rest = text
    while len(rest) > longest:
        end, start = _cut(rest[: longest + _LOOK_AHEAD], longest)
        pieces.append(rest[:end])
        rest = rest[start:]
    pieces.append(rest)
    return tuple(piece for piece in pieces if piece.strip()) or (text[:longest],)


def _cut(text: str, longest: int) -> tuple[int, int]:
    """Where the first piece ends and where the next begins."""
    links = list(_spans(_LINK, text, longest))
    marked = [*links, *_spans(INLINE, text, longest)]
    enough = longest // 3
    short: tuple[int, int] | None = None
    for kept in (marked, links):
        for pattern in (_PARAGRAPH, _LINE, _SENTENCE, _WORD):
            found = _last(pattern, text, longest, kept)
            if found and found[0] >= enough:
                return found
            if found and (short is None or found[0] > short[0]):
                short = found
        if short:
            return short
    at = _between_characters(text, longest, links) or _between_characters(text, longest, []) or longest
    return at, at


def _spans(pattern: re.Pattern[str], text: str, longest: int) -> Iterator[tuple[int, int]]:
    for found in pattern.finditer(text):
        if found.start() > longest:
            return
        yield found.span()


def _last(pattern: re.Pattern[str], text: str, longest: int, kept: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The last white space to cut at; not in the middle of what is to be kept whole."""
    last = None
    for found in pattern.finditer(text):
        start, end = found.span()
        if start > longest:
            break
        inside = any(left < start < right or left < end < right for left, right in kept)
        if start and not inside and is_boundary(text, start) and is_boundary(text, end):
            last = (start, end)
    return last


def _between_characters(text: str, longest: int, kept: list[tuple[int, int]]) -> int:
    """The last place up to `longest` where no character and nothing of `kept` is cut; 0 when there is none."""
    at = longest
    while at > 0:
        around = next((left for left, right in kept if left < at < right), None)
        if around is not None:
            at = around
        elif is_boundary(text, at):
            return at
        else:
            at -= 1
    return 0


def shortened(text: str, longest: int) -> str:
    """At most `longest` characters, the last of them … when something was left out."""
    if len(text) <= longest:
        return text
    room = longest - len(ELLIPSIS)
    return text[: _between_characters(text, room, [])].rstrip() + ELLIPSIS if room > 0 else ELLIPSIS[:longest]


# ── characters as people see them ───────────────────────────────────────────────────────────────────────────────────

_JOINER = "\u200d"
_ALSO_EXTENDS = frozenset("\u200c\u0e33\u0eb3\uff9e\uff9f")
_PREPENDED = frozenset("\u06dd\u070f\u08e2\u0d4e\U000110bd\U000110cd") | {chr(code) for code in range(0x0600, 0x0606)}


def is_boundary(text: str, at: int) -> bool:
    """Whether one may cut before `text[at]`.

    Follows https://unicode.org/reports/tr29/ with what the standard library knows; where that is not enough to tell it
    says no: two characters kept together do no harm, one cut in halves does.
    """
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if before < "\u0300" and after < "\u0300":
        return not (before == "\r" and after == "\n")
    if before == _JOINER or before in _PREPENDED or _extends(after):
        return False
    if unicodedata.combining(before) == 9 and unicodedata.category(after) == "Lo":
        return False  # a virama binds the next consonant
    if _is_flag_half(before) and _is_flag_half(after):
        return _flag_halves_before(text, at) % 2 == 0
    return not _is_one_syllable(before, after)


def _extends(character: str) -> bool:
    return (
        character == _JOINER
        or character in _ALSO_EXTENDS
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # tones of skin
        or "\U000e0020" <= character <= "\U000e007f"  # tags of regional flags
        or unicodedata.category(character) in ("Mn", "Mc", "Me")
    )


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_halves_before(text: str, at: int) -> int:
    count = 0
    while count < at and _is_flag_half(text[at - 1 - count]):
        count += 1
    return count


def _is_one_syllable(before: str, after: str) -> bool:
    """Hangul written as letters, or a finished syllable beside one."""
    if _is_jamo(before):
        return _is_jamo(after) or _is_syllable(after)
    return _is_syllable(before) and _is_jamo(after)


def _is_jamo(character: str) -> bool:
    return "\u1100" <= character <= "\u11ff" or "\ua960" <= character <= "\ua97f" or "\ud7b0" <= character <= "\ud7ff"


def _is_syllable(character: str) -> bool:
    return "\uac00" <= character <= "\ud7a3"
