"""What can be said on a channel: one content model for all of them, frozen and tagged for JSON.

`ContentKind` names what may be shown, `choices` everything in it that can be tapped. Imports nothing of ours.
"""

from __future__ import annotations

from typing import Literal

import msgspec

CommandName = Literal["start", "help", "stop", "language"]
"""What the router knows to do of its own accord."""


class Button(msgspec.Struct, frozen=True):
    """Something to tap. The id is opaque; what it means is known to the store alone."""

    id: str
    title: str


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a list to choose from."""

    id: str
    title: str
    description: str = ""


class Card(msgspec.Struct, frozen=True, omit_defaults=True):
    title: str
    text: str = ""
    image: str = ""
    url: str = ""
    buttons: tuple[Button, ...] = ()


class Text(msgspec.Struct, frozen=True, tag="text"):
    """The safe Markdown subset: bold, italic, code, links, lists, line breaks."""

    text: str


class Buttons(msgspec.Struct, frozen=True, tag="buttons"):
    text: str
    buttons: tuple[Button, ...]


class Choice(msgspec.Struct, frozen=True, tag="choice"):
    """A customer's tap on an offered button; `text` is the title that the customer saw."""

    text: str
    button: str


class Image(msgspec.Struct, frozen=True, tag="image", omit_defaults=True):
    url: str
    alt: str = ""
    text: str = ""


class File(msgspec.Struct, frozen=True, tag="file", omit_defaults=True):
    url: str
    name: str = ""
    text: str = ""


class Audio(msgspec.Struct, frozen=True, tag="audio", omit_defaults=True):
    url: str
    text: str = ""


class Video(msgspec.Struct, frozen=True, tag="video", omit_defaults=True):
    url: str
    text: str = ""


class Location(msgspec.Struct, frozen=True, tag="location", omit_defaults=True):
    """Degrees, WGS 84."""

    latitude: float
    longitude: float
    name: str = ""
    text: str = ""


class List(msgspec.Struct, frozen=True, tag="list", omit_defaults=True):
    """A longer choice than buttons; `action` opens it where the platform hides the rows."""

    text: str
    rows: tuple[Row, ...]
    action: str = ""


class Carousel(msgspec.Struct, frozen=True, tag="carousel", omit_defaults=True):
    cards: tuple[Card, ...]
    text: str = ""


class Template(msgspec.Struct, frozen=True, tag="template", omit_defaults=True):
    """A text that the platform has approved; `text` is how it reads when filled in."""

    name: str
    language: str
    values: tuple[str, ...] = ()
    text: str = ""


class Survey(msgspec.Struct, frozen=True, tag="survey"):
    """One question with a scale; each button is a grade."""

    text: str
    buttons: tuple[Button, ...]


class Command(msgspec.Struct, frozen=True, tag="command", omit_defaults=True):
    """A command of the platform's own menu, such as Telegram's /help, as its connector recognised it.

    Words typed on another channel never become one. `text` is what the customer sees; `value` what stood behind it.
    """

    text: str
    name: CommandName
    value: str = ""


class Placeholder(msgspec.Struct, frozen=True, tag="placeholder", omit_defaults=True):
    """Something that came in and that we cannot show: `kind` is the platform's word for it (sticker, poll, contact)."""

    kind: str
    text: str = ""


class Continue(msgspec.Struct, frozen=True, tag="continue"):
    """The offer to go on elsewhere. Links are made when it is shown, so that no code is ever stored with the words."""

    text: str
    accounts: tuple[str, ...] = ()


Content = (
    Text
    | Buttons
    | Choice
    | Command
    | Placeholder
    | Image
    | File
    | Audio
    | Video
    | Location
    | List
    | Carousel
    | Template
    | Survey
    | Continue
)

ContentKind = Literal[
    "text", "buttons", "image", "file", "audio", "video", "location", "list", "carousel", "template", "survey"
]
"""What we may want to show. `choice`, `command`, `placeholder` only come in; `continue` becomes text or a panel."""


def choices(content: Content) -> tuple[Button, ...]:
    """Everything in it that can be tapped, in the order in which it is shown."""
    match content:
        case Buttons() | Survey():
            return content.buttons
        case List():
            return tuple(Button(row.id, row.title) for row in content.rows)
        case Carousel():
            return tuple(button for card in content.cards for button in card.buttons)
        case _:
            return ()
