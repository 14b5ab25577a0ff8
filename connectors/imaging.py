"""One picture in, the same pixels out: run as a program of its own, `imaging.py IN OUT PNG|JPEG|WEBP|GIF`.

Ends with 0, with 3 for too many pixels, with 4 for what is no such picture. Imports nothing of ours:
`connectors/media.py` starts it in isolation, with the little memory and time set here.
"""

from __future__ import annotations

import os
import resource
import sys
import warnings

from PIL import Image, ImageOps, ImageSequence

MOST_PIXELS = 40_000_000
MOST_FRAMES = 200
MEMORY = 1024 * 1024 * 1024
SECONDS = 15
LARGEST_RESULT = 40 * 1024 * 1024
TOO_MANY_PIXELS, NO_PICTURE = 3, 4


def main(source: str, target: str, kind: str) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_RESULT, LARGEST_RESULT))
    os.umask(0o077)
    Image.MAX_IMAGE_PIXELS = None  # our own bound below is stricter
    try:
        with Image.open(source, formats=[kind]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return TOO_MANY_PIXELS
            _write(picture, target, kind)
    except (OSError, ValueError, SyntaxError, MemoryError, EOFError, OverflowError, Image.DecompressionBombError):
        return NO_PICTURE
    return 0


def _write(picture: Image.Image, target: str, kind: str) -> None:
    if kind == "GIF" and 1 < getattr(picture, "n_frames", 1) <= MOST_FRAMES:
        count = getattr(picture, "n_frames", 1)
        if count * picture.width * picture.height <= MOST_PIXELS:
            _write_frames(picture, target)
            return
    _bare(ImageOps.exif_transpose(picture), kind).save(target, kind, **_options(kind))


def _write_frames(picture: Image.Image, target: str) -> None:
    pairs = [(_bare(frame, "GIF"), int(frame.info.get("duration", 100))) for frame in ImageSequence.Iterator(picture)]
    (first, _), *others = pairs
    first.save(
        target,
        "GIF",
        save_all=True,
        append_images=[frame for frame, _ in others],
        duration=[time for _, time in pairs],
        loop=0,
        disposal=2,
    )


def _bare(picture: Image.Image, kind: str) -> Image.Image:
    """The pixels alone: no EXIF, no colour profile, no comment, no thumbnail."""
    bare = picture.convert("RGB" if kind == "JPEG" else "RGBA")
    bare.info = {}
    return bare


def _options(kind: str) -> dict[str, int | bool]:
    return {"JPEG": {"quality": 88, "optimize": True}, "WEBP": {"quality": 88}}.get(kind, {"optimize": True})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main(*sys.argv[1:4]))
