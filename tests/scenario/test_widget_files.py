"""Files: known by their content, pictures made anew, shown to who may see them, refused otherwise."""

from __future__ import annotations

import io
import stat
import struct
import uuid
import zlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fakes.bot import FakeBot
from fakes.waiting import until
from PIL import Image

from segue.settings import Server, Settings

from .conftest import Clock, House, Visitor

GPS = b"EXIF-SECRET-PLACE"


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), **more: Any) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, (200, 80, 20)).save(made, kind, **more)
    return made.getvalue()


def photo() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = GPS.decode()
    exif[0x0112] = 6  # lies on its side
    return picture("JPEG", exif=exif, comment=GPS)


def bomb() -> bytes:
    """A few kB that say they are 30,000 pixels square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def upload(visitor: Visitor, content: bytes, name: str = "foto.png") -> tuple[int, dict[str, Any]]:
    form = aiohttp.FormData(quote_fields=False)  # as browsers do
    form.add_field("file", io.BytesIO(content), filename=name, content_type="application/octet-stream")
    url = f"{visitor.url}/v1/widget/uploads"
    async with visitor.http.post(url, data=form, headers=visitor.headers) as response:
        return response.status, await response.json()


async def fetch(visitor: Visitor, url: str) -> tuple[int, bytes, Any]:
    async with visitor.http.get(visitor.url + url) as response:
        return response.status, await response.read(), response.headers


def kept_files(settings: Settings) -> list[Path]:
    return [path for path in (settings.data_dir / "media").rglob("*") if path.is_file()]


async def test_a_picture_goes_into_the_conversation_and_comes_back(visitor: Visitor, bot: FakeBot) -> None:
    status, kept = await upload(visitor, picture(), "minha foto.png")
    assert status == 201
    assert (await visitor.post({"upload": kept["id"], "text": "olha"}))[0] == 201
    await until(lambda: _count(visitor, 2))
    message = (await visitor.history())["messages"][0]
    assert (message["text"], message["content"]["type"], message["content"]["alt"]) == (
        "olha",
        "image",
        "minha foto.png",
    )
    status, content, headers = await fetch(visitor, message["content"]["url"])
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(content)).size == (40, 30)
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"].startswith("inline")
    assert bot.asked[0]["message"]["text"] == "olha"


async def test_a_file_without_a_word_is_answered_without_asking_the_bot(visitor: Visitor, bot: FakeBot) -> None:
    _, kept = await upload(visitor, picture())
    assert (await visitor.post({"upload": kept["id"]}))[0] == 201
    await until(lambda: _count(visitor, 2))
    answer = (await visitor.history())["messages"][1]
    assert answer["text"].startswith("Recebi o arquivo.")
    assert [button["title"] for button in answer["content"]["buttons"]] == ["Falar com uma pessoa"]
    assert bot.asked == []


async def test_the_stream_shows_a_file_with_an_address_that_works(visitor: Visitor) -> None:
    _, kept = await upload(visitor, b"%PDF-1.7 nota", "nota.pdf")
    async with visitor.stream("0.0") as stream:
        await visitor.post({"upload": kept["id"]})
        content = (await stream.next("message.created")).data["message"]["content"]
    assert (content["type"], content["name"]) == ("file", "nota.pdf")
    status, body, headers = await fetch(visitor, content["url"])
    assert (status, body) == (200, b"%PDF-1.7 nota")
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''nota.pdf"


async def test_nothing_but_the_pixels_of_a_photo_is_kept(visitor: Visitor, settings: Settings) -> None:
    assert GPS in photo()
    status, kept = await upload(visitor, photo(), "IMG.jpg")
    assert status == 201
    _, content, _ = await fetch(visitor, kept["content"]["url"])
    assert Image.open(io.BytesIO(content)).size == (30, 40)  # turned upright
    assert not [path for path in kept_files(settings) if GPS in path.read_bytes()]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_what_hides_behind_a_picture_is_gone(visitor: Visitor, kind: str) -> None:
    hidden = b"<script>alert(1)</script>"
    status, kept = await upload(visitor, picture(kind) + hidden)
    assert status == 201
    _, content, _ = await fetch(visitor, kept["content"]["url"])
    assert hidden not in content
    assert Image.open(io.BytesIO(content)).format == kind


async def test_a_moving_picture_still_moves(visitor: Visitor) -> None:
    frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 120, 240)]
    made = io.BytesIO()
    frames[0].save(made, "GIF", save_all=True, append_images=frames[1:], duration=50, comment=GPS)
    _, kept = await upload(visitor, made.getvalue(), "a.gif")
    _, content, _ = await fetch(visitor, kept["content"]["url"])
    assert getattr(Image.open(io.BytesIO(content)), "n_frames", 1) == 3
    assert GPS not in content


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.4", "application/pdf"),
        ("Olá, é só texto.".encode(), "text/plain; charset=utf-8"),
        (b"OggS" + b"\0" * 40, "audio/ogg"),
        (b"ID3\x04" + b"\0" * 40, "audio/mpeg"),
        (b"\0\0\0\x20ftypM4A " + b"\0" * 40, "audio/mp4"),
        (b"\0\0\0\x20ftypisom" + b"\0" * 40, "video/mp4"),
    ],
)
async def test_what_is_no_picture_is_given_back_as_a_download(visitor: Visitor, content: bytes, kind: str) -> None:
    status, kept = await upload(visitor, content, "x.html")
    assert (status, kept["content"]["type"]) == (201, "file")
    _, body, headers = await fetch(visitor, kept["content"]["url"])
    assert (body, headers["Content-Type"]) == (content, kind)
    assert headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "content",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b"<!doctype html><script>alert(1)</script>",
        b"  \n<HTML><body>x",
        b"\xef\xbb\xbf<?xml version='1.0'?><svg/>",
        b"text first, then <script>alert(1)</script>",
        b"PK\x03\x04" + b"\0" * 60,
        b"\x1f\x8b\x08" + b"\0" * 60,
        b"Rar!\x1a\x07",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"MZ" + b"\0" * 60,
        b"\x7fELF" + b"\0" * 60,
        b"#!/bin/sh\0",
        b"\xff\xfe<\0s\0v\0g\0",
        b"",
        b"\x89PNG\r\n\x1a\n not really",
        b"\xff\xd8\xff\xe0 not really",
        b"RIFF\0\0\0\0WEBP not really",
        b"GIF89a",
    ],
)
async def test_what_could_run_or_cannot_be_read_is_refused(
    visitor: Visitor, settings: Settings, content: bytes
) -> None:
    status, problem = await upload(visitor, content)
    assert (status, problem["detail"].partition(".")[0]) == (415, "Este tipo de arquivo não é aceito")
    assert kept_files(settings) == []


async def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(
    visitor: Visitor, settings: Settings
) -> None:
    assert len(bomb()) < 10_000
    status, problem = await upload(visitor, bomb())
    assert (status, problem["detail"]) == (422, "A imagem é grande demais. O limite é de 40 megapixels.")
    assert kept_files(settings) == []


async def test_a_file_that_is_too_large_is_stopped_on_the_way(visitor: Visitor, settings: Settings) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        while sent < 64 * 1024 * 1024:
            sent += 256 * 1024
            yield b"x" * 256 * 1024

    headers = {**visitor.headers, "Content-Type": "multipart/form-data; boundary=b"}
    url = f"{visitor.url}/v1/widget/uploads"
    async with visitor.http.post(url, data=endless(), headers=headers) as response:
        assert response.status == 413
        assert (await response.json())["detail"] == "O arquivo é grande demais. O limite é de 10 MB."
    assert sent < 32 * 1024 * 1024
    await until(lambda: kept_files(settings) == [])


async def test_a_file_that_says_it_is_too_large_is_not_even_read(visitor: Visitor) -> None:
    status, _ = await upload(visitor, b"x" * (10 * 1024 * 1024 + 70_000))
    assert status == 413


async def test_somebody_elses_file_is_no_file(house: House, visitor: Visitor, http: aiohttp.ClientSession) -> None:
    _, kept = await upload(visitor, picture())
    thief = await Visitor(http, house.url).arrive()
    for upload_id in (kept["id"], "0" * 32, "../../keys", "", "\x00"):
        status, problem = await thief.post({"upload": upload_id})
        assert (status, problem["detail"]) == (400, "there is no such upload")
    assert await thief.texts() == []


async def test_an_address_of_a_file_works_for_ten_minutes_and_for_that_file_only(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, kept = await upload(visitor, b"um")
    _, other = await upload(visitor, b"dois")
    url = kept["content"]["url"]
    path, _, signature = url.partition("?s=")
    assert (await fetch(visitor, url))[1] == b"um"
    for wrong in (path, f"{path}?s=", f"{path}?s=x", f"{url}x", f"{path}?s=9{signature}", f"{path}?s=%C2%B2.x"):
        assert (await fetch(visitor, wrong))[0] == 404
    assert (await fetch(visitor, f"{other['content']['url'].partition('?')[0]}?s={signature}"))[0] == 404
    from connectors.webchat import visitors

    later = visitors.now() + 601_000
    monkeypatch.setattr("connectors.webchat.uploads.now", lambda: later)
    assert (await fetch(visitor, url))[0] == 410


async def test_only_we_can_read_what_is_kept_and_its_name_tells_nothing(visitor: Visitor, settings: Settings) -> None:
    await upload(visitor, b"um segredo", "../../etc/ana@example.com.txt")
    files = kept_files(settings)
    assert len(files) == 2
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "ana" not in str(path.relative_to(settings.data_dir))


async def test_ten_files_an_hour(clock: Clock, settings: Settings, files: Any, http: aiohttp.ClientSession) -> None:
    house = House(settings.model_copy(update={"server": Server()}), files)
    await house.start()
    try:
        visitor = await Visitor(http, house.url).arrive(locale="en")
        found = [(await upload(visitor, b"x"))[0] for _ in range(11)]
        assert found == [201] * 10 + [429]
        clock.forward(360)
        assert (await upload(visitor, b"x"))[0] == 201
    finally:
        await house.stop()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--\r\n'),
        ("multipart/form-data; boundary=" + "b" * 200, b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--"),
    ],
)
async def test_what_is_no_form_with_a_file_is_400(visitor: Visitor, kind: str, body: bytes) -> None:
    headers = {**visitor.headers, "Content-Type": kind}
    async with visitor.http.post(f"{visitor.url}/v1/widget/uploads", data=body, headers=headers) as response:
        assert response.status == 400, await response.text()


async def test_a_button_and_a_file_are_not_one_message(visitor: Visitor) -> None:
    status, _ = await visitor.post({"upload": uuid.uuid4().hex, "button": "x"})
    assert status == 400


async def _count(visitor: Visitor, number: int) -> bool:
    return len((await visitor.history())["messages"]) == number
