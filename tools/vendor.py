"""Fetch the libraries in web/vendor again, as vendor.lock.json says.

    python -m tools.vendor            write the files and their sha256
    python -m tools.vendor --check    fail when a file differs from what the registry's packages give

The lock is the list: to take a new version, change its version and integrity (`npm view NAME@VERSION dist.integrity`)
and run this. Browsers know no bare module names and our policy allows no import map, so those names are replaced by
paths; the reference to a source map that we do not ship is dropped. Nothing else in a file is touched.
"""

import hashlib
import json
import re
import sys
from typing import Any

from tools.npm_package import ROOT, NotAvailable, fetch

VENDOR = ROOT / "web" / "vendor"
LOCK = VENDOR / "vendor.lock.json"
PATHS = {
    "preact": "./preact.js",
    "preact/hooks": "./hooks.js",
    "@preact/signals-core": "./signals-core.js",
    "../../src/index": "./preact.js",
    "./index": "./preact.js",
    "./jsx": "./jsx.js",
    "./dom": "./dom.js",
}


def main(check: bool) -> int:
    lock: dict[str, Any] = json.loads(LOCK.read_text("utf-8"))
    wrong: list[str] = []
    for package in lock["packages"]:
        with fetch(package["name"], package["version"], package["integrity"]) as archive:
            for target, entry in package["files"].items():
                member = archive.extractfile(f"package/{entry['from']}")
                if member is None:
                    raise SystemExit(f"{package['name']} has no file {entry['from']}")
                data = as_module(member.read()) if target.endswith((".js", ".ts")) else member.read()
                path = VENDOR / target
                if check and (not path.exists() or path.read_bytes() != data):
                    wrong.append(target)
                elif not check:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
                    entry["sha256"] = hashlib.sha256(data).hexdigest()
    if wrong:
        print("differs from the published package: " + ", ".join(wrong))
        return 1
    if not check:
        LOCK.write_text(json.dumps(lock, indent=2) + "\n", "utf-8")
    return 0


def as_module(data: bytes) -> bytes:
    text = data.decode("utf-8")
    text = re.sub(r"""(\bfrom\s*)(["'])([^"']+)\2""", lambda m: f"{m[1]}{m[2]}{PATHS.get(m[3], m[3])}{m[2]}", text)
    text = re.sub(r"\n?//# sourceMappingURL=\S+\s*$", "\n", text)
    return text.encode("utf-8")


if __name__ == "__main__":
    try:
        sys.exit(main(check="--check" in sys.argv))
    except NotAvailable as missing:
        print(missing)
        sys.exit(0 if "--check" in sys.argv else 1)
