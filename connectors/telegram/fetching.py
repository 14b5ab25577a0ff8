"""Files of people: asked for by their id, and read from the configured server alone."""

from __future__ import annotations

from pathlib import Path

from telegram import Bot
from telegram.error import BadRequest, ChatMigrated

from connectors import http
from connectors.contract import RefusedForGood, TryAgain
from connectors.telegram.calls import Requests, called
from connectors.telegram.updates import CHANNEL

SECONDS = 20.0


async def fetched(bot: Bot, requests: Requests, url: str, into: Path, *, most_bytes: int) -> str:
    """The file's name. Raises `TryAgain`, `RefusedForGood`: `too_large`, `gone`."""
    try:
        file = await called(bot.get_file(url.removeprefix(f"{CHANNEL}:")))
    except (BadRequest, ChatMigrated) as error:
        raise RefusedForGood("too_large" if "too big" in error.message.lower() else "gone") from error
    if file is None or not file.file_path:
        raise TryAgain("Telegram has no address for this file yet", after=1)
    if (file.file_size or 0) > most_bytes:
        raise RefusedForGood("too_large")
    if not file.file_path.startswith(f"{bot.base_file_url}/") or ".." in file.file_path.split("/"):
        raise RefusedForGood("an address that is not Telegram's")
    if requests.session is None:
        raise TryAgain("the channel is not open", after=1)
    await http.download(requests.session, file.file_path, into, most_bytes=most_bytes, seconds=SECONDS)
    return file.file_path.rpartition("/")[2]
