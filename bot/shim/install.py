"""Puts the shim into the environment whose interpreter runs this file: `<bot env>/bin/python bot/shim/install.py`.

Needs the standard library only: no network, no build back end. Running it again changes nothing.
"""

import os
import pathlib
import sys
import sysconfig

MODULE = "segue_rasa_shim"


def put(target: pathlib.Path, content: bytes) -> bool:
    """Writes a file in one step, so that an interpreter starting meanwhile sees the old or the new one."""
    if target.is_file() and target.read_bytes() == content:
        return False
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(target)
    return True


def install(folder: pathlib.Path) -> bool:
    """Copies the shim and its .pth line into a site-packages folder; says whether anything changed."""
    source = pathlib.Path(__file__).with_name(f"{MODULE}.py").read_bytes()
    # The module first: a .pth line that names a missing module makes noise at every start.
    changed = put(folder / f"{MODULE}.py", source)
    return put(folder / f"{MODULE}.pth", f"import {MODULE}\n".encode()) or changed


def main() -> int:
    if sys.prefix == sys.base_prefix:
        print("The shim goes into a virtual environment only: run this with the bot environment's interpreter.")
        return 2
    folder = pathlib.Path(sysconfig.get_paths()["purelib"])
    print(f"Rasa shim {'installed' if install(folder) else 'already in place'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
