"""An update of Telegram as one of our values, or a refusal. Pure.

Only what is read here is declared, with its type: whatever else an update holds, and a newer Telegram will send, is
passed over. Texts and ids stay exactly as they came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from connectors.content import (
    Audio,
    Choice,
    Command,
    CommandName,
    Content,
    File,
    Image,
    Location,
    Placeholder,
    Text,
    Video,
)
from connectors.contract import Edited, Identity, Inbound, Milliseconds, NotSupported, NotUnderstood

CHANNEL = "telegram"
SPENT = "-"
"""What a keyboard holds whose choice was made: a tap on it says nothing."""

COMMANDS: dict[str, CommandName] = {"start": "start", "help": "help", "stop": "stop", "language": "language"}
_COMMAND = re.compile(r"/([a-z]{1,32})(?:@\w{1,64})?(?:\s+(.*))?", re.DOTALL)
_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LOCALE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")

# https://core.telegram.org/bots/api#message: what says something about a message, and what the app itself reports.
_BESIDE = frozenset(
    "message_id message_thread_id direct_messages_topic from sender_chat sender_boost_count sender_business_bot "
    "sender_tag date guest_query_id business_connection_id chat forward_origin is_topic_message is_automatic_forward "
    "reply_to_message external_reply quote reply_to_story reply_to_checklist_task_id reply_to_poll_option_id via_bot "
    "guest_bot_caller_user guest_bot_caller_chat edit_date has_protected_content is_from_offline is_paid_post "
    "media_group_id author_signature paid_star_count entities link_preview_options suggested_post_info effect_id "
    "caption caption_entities show_caption_above_media has_media_spoiler reply_markup forward_from forward_date "
    "forward_from_chat forward_from_message_id forward_signature forward_sender_name".split()
)
_REPORTED = frozenset(
    "new_chat_members left_chat_member chat_owner_left chat_owner_changed new_chat_title new_chat_photo "
    "delete_chat_photo group_chat_created supergroup_chat_created channel_chat_created "
    "message_auto_delete_timer_changed migrate_to_chat_id migrate_from_chat_id pinned_message successful_payment "
    "refunded_payment users_shared chat_shared gift_upgrade_sent connected_website write_access_allowed "
    "passport_data proximity_alert_triggered boost_added chat_background_set checklist_tasks_done "
    "checklist_tasks_added direct_message_price_changed forum_topic_created forum_topic_edited forum_topic_closed "
    "forum_topic_reopened general_forum_topic_hidden general_forum_topic_unhidden giveaway_created "
    "giveaway_completed managed_bot_created paid_message_price_changed poll_option_added poll_option_deleted "
    "suggested_post_approved suggested_post_approval_failed suggested_post_declined suggested_post_paid "
    "suggested_post_refunded video_chat_scheduled video_chat_started video_chat_ended "
    "video_chat_participants_invited web_app_data".split()
)


# ── the wire ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _User(msgspec.Struct, frozen=True):
    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    language_code: str = ""


class _Chat(msgspec.Struct, frozen=True):
    id: int
    type: str


class _File(msgspec.Struct, frozen=True):
    file_id: str
    file_name: str = ""
    file_size: int = 0


class _Place(msgspec.Struct, frozen=True):
    latitude: float
    longitude: float


class _Venue(msgspec.Struct, frozen=True):
    location: _Place
    title: str = ""
    address: str = ""


class _Button(msgspec.Struct, frozen=True):
    text: str = ""
    callback_data: str = ""


class _Keyboard(msgspec.Struct, frozen=True):
    inline_keyboard: tuple[tuple[_Button, ...], ...] = ()


class _Message(msgspec.Struct, frozen=True):
    message_id: int
    chat: _Chat
    date: int = 0
    edit_date: int = 0
    sender: _User | None = msgspec.field(name="from", default=None)
    text: str | None = None
    caption: str = ""
    photo: tuple[_File, ...] = ()
    animation: _File | None = None
    document: _File | None = None
    audio: _File | None = None
    voice: _File | None = None
    video: _File | None = None
    video_note: _File | None = None
    venue: _Venue | None = None
    location: _Place | None = None
    reply_markup: _Keyboard | None = None


class _Tapped(msgspec.Struct, frozen=True):
    id: str
    sender: _User = msgspec.field(name="from")
    message: _Message | None = None
    data: str = ""


class _Membership(msgspec.Struct, frozen=True):
    status: str


class _Member(msgspec.Struct, frozen=True):
    chat: _Chat
    sender: _User = msgspec.field(name="from")
    new_chat_member: _Membership


class _Update(msgspec.Struct, frozen=True):
    update_id: int
    message: _Message | None = None
    edited_message: _Message | None = None
    callback_query: _Tapped | None = None
    my_chat_member: _Member | None = None


class _Numbered(msgspec.Struct, frozen=True):
    update_id: int


# Not strict: some numbers come as words from servers of other makes.
_read = msgspec.json.Decoder(_Update, strict=False)


# ── our side ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Tap:
    """`inbound` is None for a keyboard whose choice was made. `message` 0: the message is not there any more."""

    query: str
    chat: int
    message: int
    title: str
    language: str
    inbound: Inbound | None


@dataclass(frozen=True, slots=True)
class Reach:
    """A person blocked us, or came back."""

    identity: Identity
    yes: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Something was said, or we were put, where many people are."""

    chat: int
    language: str


Found = Inbound | Edited | Tap | Reach | Group


def number(update: bytes | msgspec.Raw) -> int | None:
    """Its update_id, as far as it can be read."""
    try:
        return msgspec.json.decode(update, type=_Numbered).update_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def chat(update: bytes | msgspec.Raw) -> int:
    """The chat whose order it keeps; 0 where there is none."""
    try:
        read = _read.decode(update)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0
    said = read.message or read.edited_message or (read.callback_query and read.callback_query.message)
    return said.chat.id if said else read.my_chat_member.chat.id if read.my_chat_member else 0


def parsed(update: bytes | msgspec.Raw, account: str, now: Milliseconds) -> Found:
    """Raises `NotUnderstood`, or `NotSupported` for what we have no use for."""
    try:
        read = _read.decode(update)
    except msgspec.ValidationError as error:
        # Names the field and what it should be, never a value.
        raise NotUnderstood(str(error)[:200]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstood("the body is no JSON") from error
    if read.message:
        return _message(read.message, account, now, update)
    if read.edited_message:
        return _edited(read.edited_message, account, now, read.update_id, update)
    if read.callback_query:
        return _tap(read.callback_query, account, now)
    if read.my_chat_member:
        return _member(read.my_chat_member, account)
    raise NotSupported("an update of another kind")


def _message(message: _Message, account: str, now: Milliseconds, update: bytes | msgspec.Raw) -> Inbound | Group:
    if message.chat.type in ("group", "supergroup"):
        return Group(message.chat.id, message.sender.language_code if message.sender else "")
    sender = _person(message)
    content = _content(message, update)
    link = ""
    if isinstance(content, Command) and content.name == "start":
        link = content.value if _PAYLOAD.fullmatch(content.value) else ""
        # The code is a secret: it is no part of what was said.
        content = Command("/start", "start")
    return Inbound(
        identity=Identity(account, str(message.chat.id)),
        content=content,
        dedupe=_name(message),
        at=_at(message.date, now),
        locale=_locale(sender),
        link=link,
        about=_about(sender),
    )


def _edited(message: _Message, account: str, now: Milliseconds, update_id: int, update: bytes | msgspec.Raw) -> Edited:
    _person(message)
    if message.location:
        raise NotSupported("a place that moves")
    content = _content(message, update, is_new=False)
    return Edited(
        identity=Identity(account, str(message.chat.id)),
        of=_name(message),
        content=content,
        dedupe=f"e{update_id}",
        at=_at(message.edit_date or message.date, now),
    )


def _tap(tapped: _Tapped, account: str, now: Milliseconds) -> Tap:
    message = tapped.message
    if tapped.sender.is_bot or message is None or message.chat.type != "private" or not tapped.data:
        raise NotSupported("a tap that is not on a message of ours to one person")
    keyboard = message.reply_markup.inline_keyboard if message.reply_markup else ()
    title = next((button.text for row in keyboard for button in row if button.callback_data == tapped.data), "")
    inbound = Inbound(
        identity=Identity(account, str(message.chat.id)),
        content=Choice(text=title, button=tapped.data),
        dedupe=f"t{tapped.id}",
        at=now,
        locale=_locale(tapped.sender),
        about=_about(tapped.sender),
    )
    # A message that Telegram no longer holds comes with the date 0, and cannot be changed.
    return Tap(
        query=tapped.id,
        chat=message.chat.id,
        message=message.message_id if message.date else 0,
        title=title,
        language=tapped.sender.language_code,
        inbound=None if tapped.data == SPENT else inbound,
    )


def _member(member: _Member, account: str) -> Reach | Group:
    status = member.new_chat_member.status
    if member.chat.type in ("group", "supergroup") and status in ("member", "administrator"):
        return Group(member.chat.id, member.sender.language_code)
    if member.chat.type == "private" and status in ("kicked", "member"):
        return Reach(Identity(account, str(member.chat.id)), yes=status == "member")
    raise NotSupported("a membership that tells nothing of a person")


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _person(message: _Message) -> _User | None:
    """Raises `NotSupported` for what no person wrote to us alone."""
    if message.chat.type != "private" or (message.sender and message.sender.is_bot):
        raise NotSupported("not written by one person to us")
    return message.sender


def _name(message: _Message) -> str:
    return f"{message.chat.id}:{message.message_id}"


def _content(message: _Message, update: bytes | msgspec.Raw, *, is_new: bool = True) -> Content:
    if message.text is not None:
        return (_command(message.text) if is_new else None) or Text(message.text)
    said = message.caption
    # An animation and a round video come with a second name of theirs, `document` and `video`: theirs alone counts.
    if moving := message.animation or message.video_note or message.video:
        return Video(_url(moving), said)
    if message.photo:
        return Image(_url(message.photo[-1]), text=said)  # the largest is the last
    if heard := message.voice or message.audio:
        return Audio(_url(heard), said)
    if message.document:
        return File(_url(message.document), message.document.file_name[-120:], said)
    if message.venue:
        venue = message.venue
        name = ", ".join(part for part in (venue.title, venue.address) if part)
        return Location(venue.location.latitude, venue.location.longitude, name)
    if message.location:
        return Location(message.location.latitude, message.location.longitude)
    return Placeholder(_kind(update), said)


def _kind(update: bytes | msgspec.Raw) -> str:
    """Telegram's word for what we cannot show. Raises `NotSupported` where nobody said anything."""
    read = msgspec.json.decode(update)
    held = read.get("message") or read.get("edited_message")
    kinds = [key for key in held if key not in _BESIDE and held[key]]
    if not kinds or any(kind in _REPORTED for kind in kinds):
        raise NotSupported("a message in which nobody says anything")
    return kinds[0] if re.fullmatch(r"[a-z_]{1,40}", kinds[0]) else "unknown"


def _command(text: str) -> Command | None:
    found = _COMMAND.fullmatch(text)
    name = COMMANDS.get(found[1]) if found else None
    if found is None or name is None:
        return None
    return Command(text=text.strip(), name=name, value=(found[2] or "").strip())


def _url(file: _File) -> str:
    return f"{CHANNEL}:{file.file_id}"


def _at(seconds: int, now: Milliseconds) -> Milliseconds:
    return Milliseconds(min(seconds * 1000, now) if seconds > 0 else now)


def _locale(sender: _User | None) -> str:
    code = sender.language_code if sender else ""
    return code if _LOCALE.fullmatch(code) else ""


def _about(sender: _User | None) -> dict[str, str]:
    if sender is None:
        return {}
    name = " ".join(part for part in (sender.first_name, sender.last_name) if part)
    return {key: value[:200] for key, value in (("name", name), ("username", sender.username)) if value}
