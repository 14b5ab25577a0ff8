"""Telegram, by its Bot API: by webhook, or fetched where no public address is set.

channel.py   one account: settings, routes, polling, what is done with an update
polling.py   asking for updates                                            fetching.py   files of people
updates.py   pure: the bytes of an update become one of our values, or are refused
calls.py     calls to the Bot API under our own rules, and their failures as our errors
sending.py   parts of a message become calls, in order                     checking.py   what an operator asks
formatting.py  the safe Markdown subset as Telegram's HTML       words.py   what this channel itself says
"""

from connectors.telegram.channel import Telegram, connector
from connectors.telegram.settings import Settings

__all__ = ["Settings", "Telegram", "connector"]
