"""A tiny part: answers every GET with 200 and {"ready": true} on a port or a socket, until it is told to end.

fake_part.py ADDRESS [stubborn] [child] [broken] [once FILE]
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

BODY = b'{"ready": true}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"


def main(address: str, *how: str) -> None:
    if "broken" in how:
        print("the part says why it cannot start", flush=True)
        sys.exit(3)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in how else lambda *_: sys.exit(0))
    if "child" in how:
        child = subprocess.Popen(["sleep", "600"])
        Path(f"{how[how.index('child') + 1]}").write_text(str(child.pid))
    if address.isdecimal():
        server = socket.create_server(("127.0.0.1", int(address)))
    else:
        server = socket.socket(socket.AF_UNIX)
        Path(address).unlink(missing_ok=True)
        server.bind(address)
        server.listen()
    while True:
        asking, _ = server.accept()
        with asking:
            asking.recv(4096)
            asking.sendall(ANSWER % (len(BODY), BODY))


if __name__ == "__main__":
    main(*sys.argv[1:])
