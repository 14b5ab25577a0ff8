"""The web widget's HTTP API: sessions, messages, streams, files. Shapes: docs/decisions/0001 and 0003.

A live channel: it delivers nothing by itself, it shows the journal to whoever holds a visitor's token.

api.py       the routes, each a few lines          visitors.py   who asks: handles, tokens, generations
streams.py   the journal as it grows               signed.py     identities that a shop's server signed
uploads.py   files, in and out                     limits.py     how often, and counted by which address
transcript.py  the conversation to take away       bodies.py     what a request may hold
continuing.py  on to another channel, and back     ports.py      what all of it is given
"""

from connectors.webchat.api import Parts, Webchat
from connectors.webchat.ports import Brand, Links, Refused, Site, Visits
from connectors.webchat.visitors import CHANNEL, Visitor

__all__ = [
    "CHANNEL",
    "Brand",
    "Links",
    "Parts",
    "Refused",
    "Site",
    "Visitor",
    "Visits",
    "Webchat",
]
