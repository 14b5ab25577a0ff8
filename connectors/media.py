"""Files that customers send: what they are by their content, and where they are kept.

`Media` is the port; `MediaFolder` keeps them on disk under random names that only we can read. A picture is decoded and
written anew in a process of its own with little memory and time, so that nothing of the bytes a stranger made is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec

_IMAGING = Path(__file__).with_name("imaging.py")
_REENCODE_SECONDS = 20.0
_CHUNK = 256 * 1024
_ID = re.compile(r"[0-9a-f]{32}")
_MARKUP = re.compile(rb"<(!doctype|!--|html|svg|script|\?xml|head|body|iframe|math|xsl)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a file beside its bytes. `owner` is opaque; `name` is for showing only."""

    owner: str
    name: str


class Kept(msgspec.Struct, frozen=True):
    """A file that we hold. `kind` is its type by its content."""

    id: str
    kind: str
    name: str
    owner: str
    size: int
    sha256: str


class Media(Protocol):
    def draft(self) -> contextlib.AbstractAsyncContextManager[Path]:
        """A file to write to, gone afterwards unless it was kept."""

    async def keep(self, draft: Path, kind: str, about: About) -> Kept:
        """Takes the draft over, safely on disk when this returns."""

    async def find(self, media: str) -> Kept | None: ...

    def read(self, kept: Kept) -> AsyncGenerator[bytes, None]: ...

    async def remove(self, media: str) -> None:
        """Of an id that is not there: nothing."""


class MediaFolder:
    """`Media` in a folder: `<two digits>/<id>` the bytes, `<id>.json` what is known of them; 0600 in 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._scratch = folder / ".drafts"

    @contextlib.asynccontextmanager
    async def draft(self) -> AsyncIterator[Path]:
        path = self._scratch / secrets.token_hex(16)
        await asyncio.to_thread(self._begin, path)
        try:
            yield path
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    def _begin(self, path: Path) -> None:
        self._scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.chmod(0o700)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    async def keep(self, draft: Path, kind: str, about: About) -> Kept:
        return await asyncio.to_thread(self._keep, draft, kind, about)

    def _keep(self, draft: Path, kind: str, about: About) -> Kept:
        with draft.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        kept = Kept(secrets.token_hex(16), kind, about.name, about.owner, draft.stat().st_size, digest)
        path = self._path(kept.id)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        note = draft.with_suffix(".json")
        with open(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
            written.write(msgspec.json.encode(kept))
            written.flush()
            os.fsync(written.fileno())
        # The note last: a file without one is not there.
        draft.rename(path)
        note.rename(path.with_suffix(".json"))
        return kept

    async def find(self, media: str) -> Kept | None:
        if not _ID.fullmatch(media):
            return None
        return await asyncio.to_thread(self._find, media)

    def _find(self, media: str) -> Kept | None:
        try:
            return msgspec.json.decode(self._path(media).with_suffix(".json").read_bytes(), type=Kept)
        except FileNotFoundError:
            return None

    async def read(self, kept: Kept) -> AsyncGenerator[bytes, None]:
        path, at = self._path(kept.id), 0
        # Opened for each piece: a reader that goes away in the middle leaves no file open.
        while chunk := await asyncio.to_thread(_piece, path, at):
            at += len(chunk)
            yield chunk

    async def remove(self, media: str) -> None:
        if _ID.fullmatch(media):
            path = self._path(media)
            await asyncio.to_thread(path.with_suffix(".json").unlink, missing_ok=True)
            await asyncio.to_thread(path.unlink, missing_ok=True)

    def _path(self, media: str) -> Path:
        return self._folder / media[:2] / media


def _piece(path: Path, at: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(_CHUNK)


class NotTaken(Exception):
    """A file that we do not keep: of another `kind`, or a picture with too many `pixels`."""

    def __init__(self, why: Literal["kind", "pixels"]) -> None:
        super().__init__(why)
        self.why = why


class Intake:
    """The one way by which a stranger's bytes come into our keeping: known by content alone, pictures made anew."""

    def __init__(self, media: Media) -> None:
        self._media = media
        self._decoding = asyncio.Semaphore(2)

    async def keep(self, draft: Path, about: About) -> Kept:
        """Raises `NotTaken`."""
        kind = await asyncio.to_thread(sniffed, draft)
        if kind is None:
            raise NotTaken("kind")
        if kind.startswith("image/"):
            try:
                async with self._decoding:
                    await reencoded(draft, kind)
            except TooManyPixels:
                raise NotTaken("pixels") from None
            except NotAnImage:
                raise NotTaken("kind") from None
        return await self._media.keep(draft, kind, about)


def plain_name(name: str) -> str:
    """Kept as text to show, never as a path."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[-120:].strip() or "file"


# ── what it is ──────────────────────────────────────────────────────────────────────────────────────────────────────


def sniffed(path: Path) -> str | None:
    """The type of a file by its content; None for everything that we do not take, above all what a browser runs."""
    with path.open("rb") as file:
        head = file.read(4096)
        kind = _by_magic(head)
        if kind or not head:
            return kind
        return "text/plain" if _is_plain_text(head + file.read()) else None


def _by_magic(head: bytes) -> str | None:
    fixed = {
        b"\x89PNG\r\n\x1a\n": "image/png",
        b"\xff\xd8\xff": "image/jpeg",
        b"GIF87a": "image/gif",
        b"GIF89a": "image/gif",
        b"%PDF-": "application/pdf",
        b"OggS": "audio/ogg",
        b"ID3": "audio/mpeg",
    }
    for magic, kind in fixed.items():
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in (b"M4A ", b"M4B "):
            return "audio/mp4"
        return (
            "video/mp4" if brand in (b"isom", b"iso2", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ") else None
        )
    if len(head) > 3 and head[0] == 0xFF and head[1] in (0xFA, 0xFB, 0xF2, 0xF3):
        return "audio/mpeg"
    return None


def _is_plain_text(content: bytes) -> bool:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    if any(letter < " " and letter not in "\t\n\r\f" for letter in text) or "\x7f" in text:
        return False
    return _MARKUP.search(content) is None


# ── pictures ────────────────────────────────────────────────────────────────────────────────────────────────────────


class NotAnImage(Exception):
    """It cannot be decoded as what its first bytes say."""


class TooManyPixels(Exception):
    """It is small as a file and huge as a picture."""


async def reencoded(path: Path, kind: str) -> None:
    """Replaces the picture by one with the same pixels and nothing else. Raises `NotAnImage`, `TooManyPixels`."""
    fresh = path.with_suffix(".fresh")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(_IMAGING), str(path), str(fresh), kind.removeprefix("image/").upper(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )  # fmt: skip
    try:
        async with asyncio.timeout(_REENCODE_SECONDS):
            code = await process.wait()
        if code == 3:
            raise TooManyPixels
        if code:
            raise NotAnImage
        await asyncio.to_thread(fresh.replace, path)
    except TimeoutError:
        raise NotAnImage from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await asyncio.to_thread(fresh.unlink, missing_ok=True)
