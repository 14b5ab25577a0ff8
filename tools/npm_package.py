"""Get one npm package, checked against an integrity that stands in a file of ours.

The ordinary client fetches, so registry, proxy and certificates are whatever `npm` is set up with, and no address is
written down. Only the developer's tools use this: the product never needs Node.
"""

import base64
import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".segue" / "npm"
TOOLS = ROOT / "tools" / "npm_tools.json"


class NotAvailable(Exception):
    """Something that this machine lacks; the message is a sentence for the developer."""


def integrity_of(data: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def fetch(name: str, version: str, integrity: str) -> tarfile.TarFile:
    """Return the archive. Raises NotAvailable without npm, ValueError when the bytes are not the pinned ones."""
    CACHE.mkdir(parents=True, exist_ok=True)
    archive = CACHE / f"{name.lstrip('@').replace('/', '-')}-{version}.tgz"
    if not archive.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise NotAvailable("npm is not on PATH; install Node.js to rebuild the widget or to check its types.")
        command = [npm, "pack", f"{name}@{version}", "--silent", "--pack-destination", str(CACHE)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise NotAvailable(f"npm could not fetch {name}@{version}: {done.stderr.strip()[-300:]}")
    data = archive.read_bytes()
    found = integrity_of(data)
    if found != integrity:
        archive.unlink()
        raise ValueError(f"{name}@{version} has integrity {found}, expected {integrity}")
    return tarfile.open(fileobj=io.BytesIO(data), mode="r:gz")


def tool(name: str) -> Path:
    """Return the path of a pinned tool (esbuild, typescript, axe-core), unpacked below .segue/npm."""
    pin = json.loads(TOOLS.read_text("utf-8"))[name]
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    # What is plain JavaScript is the same everywhere.
    system = "any" if "any" in pin["integrity"] else f"{platform.system().lower()}-{machine}"
    integrity = pin["integrity"].get(system)
    if integrity is None:
        raise NotAvailable(f"{name} is not pinned for {system}; add it to tools/npm_tools.json.")
    folder = CACHE / f"{name}-{pin['version']}-{system}"
    binary: Path = folder / "package" / pin["binary"]
    if not binary.exists():
        with fetch(pin["package"].format(platform=system), pin["version"], integrity) as archive:
            archive.extractall(folder, filter="data")
        binary.chmod(0o755)
    return binary
