"""Photos and files that people send on Telegram, and changes of what they wrote, as readers of the journal see them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from fakes.telegram_api import Behaviour, TelegramApi
from fakes.waiting import until
from PIL import Image as Picture
from scenario.conftest import Clock

from connectors.content import Audio, File, Image, Placeholder, Text
from connectors.contract import Identity, Page, Updated
from router import fetching, worker
from router.feed import JournalFeed
from router.store import Store, StoreUnavailable, connect
from router.store.hints import Hints
from segue.settings import Settings

from .conftest import ANA, customer

PERSON = Identity("telegram:main", str(ANA))


def png() -> bytes:
    made = io.BytesIO()
    Picture.new("RGB", (8, 8), "red").save(made, "PNG")
    return made.getvalue()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PAUSES", (0.01, 0.01))


async def page(store: Store, settings: Settings) -> Page:
    feed = JournalFeed(store, Hints(connect(settings.redis.url)))
    return await feed.page(PERSON, await customer(store), after=None, before=None, limit=50)


async def said(store: Store, settings: Settings) -> list[Any]:
    return [
        message.content or Text(message.text)
        for message in (await page(store, settings)).messages
        if message.author.kind == "customer"
    ]


async def test_a_photo_is_kept_and_shown_in_place_of_its_name_at_telegram(
    hooked: TelegramApi, store: Store, settings: Settings
) -> None:
    hooked.files["big"] = png()
    hooked.says(ANA, photo=[{"file_id": "small"}, {"file_id": "big"}], caption="é este tênis?")
    await until(lambda: hooked.texts(ANA) == ["echo: é este tênis?"])
    [shown] = await said(store, settings)
    assert isinstance(shown, Image)
    assert (shown.text, shown.url[:6]) == ("é este tênis?", "media:")
    [kept] = [path for path in (settings.data_dir / "media").rglob("*") if path.is_file() and not path.suffix]
    assert kept.name == shown.url.removeprefix("media:")
    assert kept.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("sent", "content", "kind", "name"),
    [
        ({"document": {"file_id": "f", "file_name": "../nota.pdf"}}, b"%PDF-1.4 x", File, "nota.pdf"),
        ({"voice": {"file_id": "f"}}, b"OggS...", Audio, ""),
        ({"document": {"file_id": "f", "file_name": "x.png"}}, png(), Image, ""),
    ],
)
async def test_a_file_is_what_its_bytes_say(
    hooked: TelegramApi,
    store: Store,
    settings: Settings,
    sent: dict[str, Any],
    content: bytes,
    kind: type[File | Audio | Image],
    name: str,
) -> None:
    hooked.files["f"] = content
    hooked.says(ANA, **sent)
    await until(lambda: len(hooked.texts(ANA)) == 1)
    assert hooked.texts(ANA)[0].startswith("Recebi o arquivo.")
    [shown] = await said(store, settings)
    assert isinstance(shown, kind)
    assert shown.url.startswith("media:")
    if name:
        assert getattr(shown, "name", "") == name


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"MZ\x90\x00", "kind"),
        (b"\x89PNG\r\n\x1a\n broken", "kind"),
        (b"x" * (20 * 1024 * 1024 + 1), "too_large"),
        (None, "gone"),
    ],
)
async def test_a_file_that_cannot_be_kept_leaves_an_honest_note(
    hooked: TelegramApi, store: Store, settings: Settings, content: bytes | None, why: str
) -> None:
    if content is not None:
        hooked.files["f"] = content
    hooked.says(ANA, document={"file_id": "f", "file_name": "x.exe"}, caption="veja")
    await until(lambda: len(hooked.texts(ANA)) == 1)
    assert await said(store, settings) == [Placeholder("file", "veja")]
    rows = await store.journal(await customer(store))
    assert [row.entry.reason for row in rows if row.entry.kind == "edit"] == [why]
    assert [path for path in (settings.data_dir / "media").rglob("*") if path.is_file()] == []


async def test_a_download_that_breaks_off_is_tried_again(hooked: TelegramApi, store: Store, settings: Settings) -> None:
    hooked.files["f"] = b"%PDF-1.4 x"
    hooked.next["download"].extend([Behaviour(fault="drop"), Behaviour(502)])
    hooked.says(ANA, document={"file_id": "f"})
    await until(lambda: len(hooked.texts(ANA)) == 1)
    [shown] = await said(store, settings)
    assert isinstance(shown, File)


async def test_a_redirect_is_not_followed(hooked: TelegramApi, store: Store, settings: Settings) -> None:
    hooked.files["f"] = b"%PDF-1.4 x"
    elsewhere = Behaviour(302, headers={"Location": f"{hooked.url}/file/bot{hooked.token}/docs/f"})
    hooked.next["download"].append(elsewhere)
    hooked.says(ANA, document={"file_id": "f"})
    await until(lambda: len(hooked.texts(ANA)) == 1)
    assert await said(store, settings) == [Placeholder("file")]


async def test_an_album_is_thanked_for_once(hooked: TelegramApi, store: Store, settings: Settings) -> None:
    for number in range(3):
        hooked.files[f"p{number}"] = png()
        hooked.says(ANA, photo=[{"file_id": f"p{number}"}], media_group_id="g1")
    await until(lambda: _all_kept(store, settings, 3))
    hooked.says(ANA, "é este?")
    await until(lambda: hooked.texts(ANA)[-1:] == ["echo: é este?"])
    assert len(hooked.texts(ANA)) == 2


async def _all_kept(store: Store, settings: Settings, count: int) -> bool:
    found = await said(store, settings)
    return len(found) == count and all(isinstance(one, Image) and one.url.startswith("media:") for one in found)


async def test_what_we_cannot_see_is_said_so(hooked: TelegramApi, store: Store, settings: Settings) -> None:
    hooked.says(ANA, sticker={"file_id": "s", "emoji": "👍"})
    await until(lambda: len(hooked.texts(ANA)) == 1)
    assert hooked.texts(ANA)[0].startswith("Recebi, mas ainda não consigo ler")
    assert await said(store, settings) == [Placeholder("sticker")]


async def test_an_edit_changes_what_is_shown_and_runs_no_turn_again(
    hooked: TelegramApi, store: Store, settings: Settings
) -> None:
    update = hooked.says(ANA, "quero 2")
    await until(lambda: len(hooked.texts(ANA)) == 1)
    for text in ("quero 3", "quero 4"):
        hooked.updates.make(edited_message={**update["message"], "text": text, "edit_date": update["message"]["date"]})
    await until(lambda: _reads(store, settings, Text("quero 4")))
    hooked.says(ANA, "obrigada")
    await until(lambda: hooked.texts(ANA) == ["echo: quero 2", "echo: obrigada"])
    assert await said(store, settings) == [Text("quero 4"), Text("obrigada")]


async def _reads(store: Store, settings: Settings, wanted: Text) -> bool:
    return bool((await said(store, settings))[-1] == wanted)


async def test_a_stream_hears_of_a_change_by_its_words(hooked: TelegramApi, store: Store, settings: Settings) -> None:
    update = hooked.says(ANA, "quero 2")
    await until(lambda: len(hooked.texts(ANA)) == 1)
    hooked.updates.make(edited_message={**update["message"], "text": "quero 3"})
    await until(lambda: _reads(store, settings, Text("quero 3")))
    feed = JournalFeed(store, Hints(connect(settings.redis.url)))
    async for frame in feed.follow(PERSON, await customer(store), "0.0"):
        if isinstance(frame, Updated) and frame.status is None:
            assert (frame.of, frame.text, frame.content) == (1, "quero 3", None)
            break


async def test_a_turn_that_is_run_again_fetches_its_file_once(
    hooked: TelegramApi, store: Store, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, failures = Store.commit, iter([True])

    async def dies_first(self: Store, *given: Any) -> Any:
        if next(failures, False):
            raise StoreUnavailable("gone")
        return await commit(self, *given)

    monkeypatch.setattr(Store, "commit", dies_first)
    monkeypatch.setattr(worker, "COMMIT_PAUSES", ())
    hooked.files["f"] = b"%PDF-1.4 x"
    hooked.says(ANA, document={"file_id": "f"})
    await until(lambda: _reads_file(store, settings))
    await until(lambda: next(failures, None) is None)
    clock.forward(20)
    await until(lambda: len(hooked.texts(ANA)) == 1)
    assert [method for method, _ in hooked.calls].count("getFile") == 1
    assert len([path for path in (settings.data_dir / "media").rglob("*.json") if path.is_file()]) == 1


async def _reads_file(store: Store, settings: Settings) -> bool:
    return isinstance((await said(store, settings) or [None])[-1], File)
