"""`bin/segue channel check`: who we are at Telegram, and how what people say reaches us."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from telegram import Bot, BotCommand, WebhookInfo
from telegram.error import BadRequest, ChatMigrated

from connectors.contract import Checked, ConnectorError, CredentialsRejected
from connectors.telegram import words
from connectors.telegram.calls import called
from connectors.telegram.polling import KINDS
from connectors.telegram.settings import Settings

_Result = TypeVar("_Result")

PORTS = (443, 80, 88, 8443)
"""Where Telegram calls (https://core.telegram.org/bots/api#setwebhook)."""


class _Failed(Exception):
    """A call that could not be made; what it says is for the operator."""

    def __init__(self, checked: Checked) -> None:
        super().__init__(checked.says)
        self.checked = checked


async def checked(bot: Bot, account: str, settings: Settings, public_url: str) -> Sequence[Checked]:
    """Sets the menu of commands, and the webhook where there is one. `account` is <channel>:<account>."""
    found: list[Checked] = []
    try:
        me = await _asked(bot.get_me(), account, settings)
        found.append(Checked("ok", f"the bot is @{me.username if me else '?'}"))
        await _asked(set_commands(bot), account, settings)
        found.append(Checked("ok", "the menu of commands is set, in Portuguese and English"))
        info = await _asked(bot.get_webhook_info(), account, settings)
        if settings.polls(public_url):
            found += _by_asking(settings, public_url, info)
        else:
            found += await _by_webhook(bot, account, settings, public_url, info)
    except _Failed as failed:
        found.append(failed.checked)
    return found


async def set_commands(bot: Bot) -> None:
    """In Portuguese for everybody, in English for those whose app speaks it."""
    for language in words.LANGUAGES:
        menu = [BotCommand(name, told) for name, told in words.COMMANDS[language].items()]
        await called(bot.set_my_commands(menu, language_code=None if language == "pt-BR" else language))


def webhook_url(account: str, public_url: str) -> str:
    channel, _, name = account.partition(":")
    return f"{public_url}/channels/{channel}/{name}"


def _by_asking(settings: Settings, public_url: str, info: WebhookInfo | None) -> list[Checked]:
    found = [Checked("ok", "messages are asked for, by polling: this works without a public address")]
    if public_url and settings.receive == "auto":
        found.append(
            Checked(
                "warn",
                "[server] public_url is no https address, and Telegram calls no other",
                "Put https in front of it to receive by webhook, or leave it so.",
            )
        )
    if info and info.url:
        host = urlsplit(info.url).hostname
        found.append(
            Checked("warn", f"a webhook is set at {host}", "Start Segue, which takes it off, or stop what runs there.")
        )
    return found


async def _by_webhook(
    bot: Bot, account: str, settings: Settings, public_url: str, before: WebhookInfo | None
) -> list[Checked]:
    """Sets it, also where it is set: the secret may be another."""
    url = webhook_url(account, public_url)
    parts = urlsplit(url)
    if parts.scheme != "https":
        return [
            Checked(
                "fail",
                "a webhook needs an https address",
                'Set [server] public_url to one, or receive = "polling" in the account\'s settings.',
            )
        ]
    if (parts.port or 443) not in PORTS:
        return [
            Checked(
                "fail",
                f"Telegram calls the ports {', '.join(map(str, PORTS))} alone, and public_url names {parts.port}",
                'Publish it on one of these, or set receive = "polling".',
            )
        ]
    await _asked(
        bot.set_webhook(url, secret_token=settings.secrets()[0], allowed_updates=KINDS, drop_pending_updates=False),
        account,
        settings,
    )
    return [Checked("ok", f"the webhook is set at {parts.hostname}"), *_told(before, url)]


def _told(info: WebhookInfo | None, url: str) -> list[Checked]:
    """What Telegram says of its last calls to this very address."""
    if info is None or info.url != url:
        return []
    found = []
    if info.last_error_message:
        at = f"{info.last_error_date:%Y-%m-%d %H:%M} UTC" if info.last_error_date else "some time ago"
        found.append(
            Checked(
                "warn",
                f"Telegram's last failed call was at {at}: {info.last_error_message[:200]}",
                "See that this address leads to the running router, with a certificate that is valid.",
            )
        )
    if info.pending_update_count:
        found.append(
            Checked("warn", f"{info.pending_update_count} updates wait at Telegram", "Start Segue to get them.")
        )
    return found


async def _asked(call: Awaitable[_Result], account: str, settings: Settings) -> _Result | None:
    channel, _, name = account.partition(":")
    try:
        return await called(call)
    except CredentialsRejected:
        says, remedy = (
            "Telegram does not know this token",
            (f"Copy it anew from @BotFather into [channels.{channel}.{name}] token; /token there shows it."),
        )
    except (BadRequest, ChatMigrated) as error:
        says, remedy = f"Telegram refused: {error.message[:200]}", "Correct the setting that it names."
    except ConnectorError as error:
        host = urlsplit(settings.base_url).hostname
        says, remedy = f"Telegram does not answer ({error})", f"See that this machine may reach {host}."
    raise _Failed(Checked("fail", says, remedy))
