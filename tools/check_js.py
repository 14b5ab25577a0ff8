"""Check the types of our JavaScript: tsc --checkJs --strict, with TypeScript pinned by version and integrity.

    python -m tools.check_js

Where npm is missing and TypeScript was not fetched before, it says so and succeeds: the product needs no Node.
"""

import subprocess
import sys

from tools.npm_package import ROOT, NotAvailable, tool


def main() -> int:
    try:
        compiler = tool("typescript")
    except NotAvailable as missing:
        print(f"JavaScript types were not checked. {missing}")
        return 0
    done = subprocess.run([str(compiler), "--project", str(ROOT / "web")], timeout=300)
    if done.returncode == 0:
        print("JavaScript types are right.")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
