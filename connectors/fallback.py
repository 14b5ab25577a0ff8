"""What a channel cannot show becomes something it can. Pure: content and capabilities in, content out.

    buttons, survey   → a list where lists are shown, else numbered text
    list              → buttons where its rows fit, else numbered text
    carousel          → card by card: its image where images are shown, its words, its buttons or their numbers
    image, file, …    → its words and its address
    location          → its words, the coordinates and a link to a map
    template          → the text that it stands for

`numbered` tells what a typed number means afterwards. Ids of buttons never change, whatever happens to their titles.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, assert_never

from msgspec.structs import replace

from connectors.content import (
    Audio,
    Button,
    Buttons,
    Card,
    Carousel,
    Choice,
    Command,
    Content,
    ContentKind,
    Continue,
    File,
    Image,
    List,
    Location,
    Placeholder,
    Row,
    Survey,
    Template,
    Text,
    Video,
    choices,
)
from connectors.contract import Capabilities
from connectors.cutting import plain, shortened, split

Phrase = Literal["choose", "type a number", "type one", "see options"]

_PHRASES: dict[str, dict[Phrase, str]] = {
    "pt-BR": {
        "choose": "Escolha uma opção:",
        "type a number": "Responda com o número.",
        "type one": "Responda com uma das opções acima.",
        "see options": "Ver opções",
    },
    "en": {
        "choose": "Choose an option:",
        "type a number": "Reply with the number.",
        "type one": "Reply with one of the options above.",
        "see options": "See options",
    },
}
_KINDS: dict[type[Content], ContentKind] = {Image: "image", File: "file", Audio: "audio", Video: "video"}
_MAP = "https://www.openstreetmap.org/?mlat={0}&mlon={1}#map=17/{0}/{1}"


def rendered(content: Content, capabilities: Capabilities, language: str = "pt-BR") -> tuple[Content, ...]:
    """The content as this channel can show it: at least one part, none beyond the declared limits, nothing left out."""
    return _Rendering(capabilities, language).parts(content)


def numbered(content: Content, capabilities: Capabilities) -> tuple[str, ...]:
    """Ids of the buttons in the order of the numbers shown for them; empty where the channel shows none."""
    buttons = choices(content)
    if not buttons or _shows_choice(content, capabilities):
        return ()
    return tuple(button.id for button in _in_order(content) or ())


def _shows_choice(content: Content, capabilities: Capabilities) -> bool:
    """Whether what can be tapped is tapped here, in whatever form."""
    match content:
        case Buttons():
            return _taps(len(content.buttons), capabilities) or _lists(len(content.buttons), capabilities)
        case Survey():
            return _grades(content, capabilities) or _shows_choice(Buttons("", content.buttons), capabilities)
        case List():
            return _lists(len(content.rows), capabilities) or _taps(len(content.rows), capabilities)
        case Carousel():
            return _pages(content, capabilities) or all(
                _taps(len(card.buttons), capabilities) for card in content.cards if card.buttons
            )
        case _:
            return False


def _taps(count: int, capabilities: Capabilities) -> bool:
    return "buttons" in capabilities.shows and 0 < count <= capabilities.most_buttons


def _grades(survey: Survey, capabilities: Capabilities) -> bool:
    return "survey" in capabilities.shows and 0 < len(survey.buttons) <= capabilities.most_buttons


def _lists(count: int, capabilities: Capabilities) -> bool:
    return "list" in capabilities.shows and 0 < count <= capabilities.most_rows


def _pages(carousel: Carousel, capabilities: Capabilities) -> bool:
    """Whether the cards can be shown as cards, perhaps in several carousels."""
    return (
        "carousel" in capabilities.shows
        and capabilities.most_cards > 0
        and all(len(card.buttons) <= capabilities.most_buttons for card in carousel.cards)
        and all(
            len(card.title) + len(card.text) <= (capabilities.longest_caption or capabilities.longest_text)
            for card in carousel.cards
        )
    )


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _in_order(content: Content) -> Sequence[Button] | None:
    """The buttons as they are numbered from 1; None where their titles are numbers that would say something else.

    A scale from 0 to 10 numbered from 1 would turn every typed grade into its neighbour.
    """
    buttons = choices(content)
    titles = [button.title.strip() for button in buttons]
    if not all(re.fullmatch(r"[0-9]{1,4}", title) for title in titles):
        return buttons
    numbers = [int(title) for title in titles]
    ours = list(range(1, len(titles) + 1))
    if numbers == ours:
        return buttons
    if sorted(numbers) == ours and not isinstance(content, Carousel):
        return sorted(buttons, key=lambda button: int(button.title))
    return None


def _number_lines(buttons: Sequence[Button], descriptions: dict[str, str], *, first: int = 1) -> str:
    return "\n".join(f"{n}. {_described(button, descriptions)}" for n, button in enumerate(buttons, first))


def _described(button: Button, descriptions: dict[str, str]) -> str:
    return f"{button.title} – {descriptions[button.id]}" if button.id in descriptions else button.title


def _titles(buttons: Sequence[Button]) -> str:
    return ", ".join(button.title.strip() for button in buttons)


# ── rendering ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _Rendering:
    def __init__(self, capabilities: Capabilities, language: str) -> None:
        self._can = capabilities
        self._phrases = _PHRASES["en" if language.lower().startswith("en") else "pt-BR"]

    def parts(self, content: Content) -> tuple[Content, ...]:
        match content:
            case Text() | Choice() | Command() | Placeholder() | Continue():
                return self._texts(self._words(content.text))
            case Buttons() | Survey():
                return self._buttons(content)
            case List():
                return self._list(content)
            case Carousel():
                return self._carousel(content)
            case Image() | File() | Audio() | Video():
                return self._media(content)
            case Location():
                return self._location(content)
            case Template():
                if "template" in self._can.shows:
                    return (content,)
                return self._texts(self._words(content.text) or ", ".join(content.values) or content.name)
        assert_never(content)

    # ── words ──

    def _words(self, text: str) -> str:
        return text if self._can.markdown else plain(text)

    def _texts(self, text: str) -> tuple[Content, ...]:
        return tuple(Text(piece) for piece in split(text, self._can.longest_text))

    def _before(self, text: str) -> tuple[tuple[Content, ...], str]:
        """Texts to send first, and the last piece, which stands with what is to be tapped."""
        *first, last = split(text if text.strip() else self._phrases["choose"], self._can.longest_text)
        return tuple(Text(piece) for piece in first), last

    # ── things to tap ──

    def _buttons(self, content: Buttons | Survey) -> tuple[Content, ...]:
        if not content.buttons:
            return self._texts(self._words(content.text))
        if not _shows_choice(content, self._can):
            return self._numbers(content)
        first, last = self._before(self._words(content.text))
        if isinstance(content, Survey) and _grades(content, self._can):
            return (*first, Survey(last, self._fitting(content.buttons)))
        if _taps(len(content.buttons), self._can):
            return (*first, Buttons(last, self._fitting(content.buttons)))
        return (*first, self._rows(last, tuple(Row(button.id, button.title) for button in content.buttons), ""))

    def _list(self, content: List) -> tuple[Content, ...]:
        if not content.rows:
            return self._texts(self._words(content.text))
        if not _shows_choice(content, self._can):
            return self._numbers(content)
        if _lists(len(content.rows), self._can):
            first, last = self._before(self._words(content.text))
            return (*first, self._rows(last, content.rows, content.action))
        told = "\n".join(f"- {row.title} – {row.description}" for row in content.rows if row.description)
        first, last = self._before("\n\n".join(part for part in (self._words(content.text), told) if part))
        return (*first, Buttons(last, self._fitting(choices(content))))

    def _rows(self, text: str, rows: tuple[Row, ...], action: str) -> List:
        """A list. A title that had to be shortened stands whole in the description, where that is free."""
        titles = self._fitting(tuple(Button(row.id, row.title) for row in rows))
        return List(
            text=text,
            rows=tuple(
                Row(row.id, button.title, row.description or (row.title if button.title != row.title else ""))
                for row, button in zip(rows, titles, strict=True)
            ),
            action=shortened(action or self._phrases["see options"], self._can.longest_button),
        )

    def _numbers(self, content: Buttons | Survey | List) -> tuple[Content, ...]:
        ordered = _in_order(content)
        rows = content.rows if isinstance(content, List) else ()
        descriptions = {row.id: row.description for row in rows if row.description}
        if ordered is None and descriptions:
            options = "\n".join(_described(button, descriptions) for button in choices(content))
            hint = self._phrases["type one"]
        elif ordered is None:
            options, hint = _titles(choices(content)), self._phrases["type one"]
        elif _titles(ordered) == ", ".join(map(str, range(1, len(ordered) + 1))) and not descriptions:
            options, hint = _titles(ordered), self._phrases["type a number"]
        else:
            options, hint = _number_lines(ordered, descriptions), self._phrases["type a number"]
        return self._texts("\n\n".join(part for part in (self._words(content.text), options, hint) if part.strip()))

    def _fitting(self, buttons: Sequence[Button]) -> tuple[Button, ...]:
        """Titles of the declared length. Two that would be equal only for being shortened end with a number."""
        fitting: list[Button] = []
        taken: set[str] = set()
        for button in buttons:
            title = shortened(button.title, self._can.longest_button)
            number = 2
            while title != button.title and title in taken and len(f" {number}") < self._can.longest_button:
                title = shortened(button.title, self._can.longest_button - len(f" {number}")) + f" {number}"
                number += 1
            taken.add(title)
            fitting.append(Button(button.id, title))
        return tuple(fitting)

    # ── cards ──

    def _carousel(self, content: Carousel) -> tuple[Content, ...]:
        text = self._words(content.text)
        first = self._texts(text) if text.strip() else ()
        if not content.cards:
            return first or self._texts(text)
        if _pages(content, self._can):
            cards = [self._card(card) for card in content.cards]
            pages = range(0, len(cards), self._can.most_cards)
            return (*first, *(Carousel(tuple(cards[at : at + self._can.most_cards])) for at in pages))
        if "image" in self._can.shows or (choices(content) and _shows_choice(content, self._can)):
            return (*first, *self._card_by_card(content))
        told = [text, *(self._told(content)), self._hint(content)]
        return self._texts("\n\n".join(part for part in told if part.strip()))

    def _card(self, card: Card) -> Card:
        return Card(card.title, self._words(card.text), card.image, card.url, self._fitting(card.buttons))

    def _card_by_card(self, content: Carousel) -> tuple[Content, ...]:
        taps = _shows_choice(content, self._can)
        parts: list[Content] = []
        for card, told in zip(content.cards, self._told(content), strict=True):
            if card.image and "image" in self._can.shows:
                parts.extend(self._captioned(Image(card.image, card.title), "" if card.buttons else told))
                if not card.buttons:
                    continue
            if card.buttons and taps:
                first, last = self._before(told)
                parts.extend((*first, Buttons(last, self._fitting(card.buttons))))
            elif told.strip():
                parts.extend(self._texts(told))
        if hint := self._hint(content):
            parts.extend(self._texts(hint))
        return tuple(parts)

    def _told(self, content: Carousel) -> list[str]:
        """Each card in words; its numbers go on where those of the card before ended."""
        taps = _shows_choice(content, self._can)
        scale = _in_order(content) is None
        number = 1
        told = []
        for card in content.cards:
            address = card.url or ("" if "image" in self._can.shows else card.image)
            lines = [card.title, self._words(card.text), address]
            if card.buttons and not taps:
                lines.append(_titles(card.buttons) if scale else _number_lines(card.buttons, {}, first=number))
                number += len(card.buttons)
            told.append("\n".join(line for line in lines if line.strip()))
        return told

    def _hint(self, content: Carousel) -> str:
        if not choices(content) or _shows_choice(content, self._can):
            return ""
        return self._phrases["type one" if _in_order(content) is None else "type a number"]

    # ── media and places ──

    def _media(self, content: Image | File | Audio | Video) -> tuple[Content, ...]:
        kind, name = _KINDS[type(content)], getattr(content, "alt", "") or getattr(content, "name", "")
        if kind in self._can.shows:
            return self._captioned(content, self._words(content.text))
        lines = (self._words(content.text), name, content.url)
        return self._texts("\n".join(dict.fromkeys(line for line in lines if line.strip())))

    def _captioned(self, media: Image | File | Audio | Video | Location, text: str) -> tuple[Content, ...]:
        """What is shown with its words, or before them where they are too long for one message."""
        if isinstance(media, Image):
            media = replace(media, alt=shortened(media.alt, self._can.longest_text))
        if len(text) > (self._can.longest_caption or self._can.longest_text):
            return (replace(media, text=""), *self._texts(text))
        return (replace(media, text=text),)

    def _location(self, content: Location) -> tuple[Content, ...]:
        text = self._words(content.text)
        if "location" in self._can.shows:
            return self._captioned(replace(content, name=shortened(content.name, self._can.longest_text)), text)
        latitude, longitude = _degrees(content.latitude), _degrees(content.longitude)
        lines = (text, content.name, f"{latitude}, {longitude}", _MAP.format(latitude, longitude))
        return self._texts("\n".join(line for line in lines if line.strip()))


def _degrees(value: float) -> str:
    """Six digits are ten centimetres."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
