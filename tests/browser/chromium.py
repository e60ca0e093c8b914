"""The browser of the tests: Debian's Chromium. Where it is, how it comes, and what to say where it does not.

python -m tests.browser.chromium install   as root, with apt: installs it where it is missing. In CI it must then be there
python -m tests.browser.chromium report    one line where it is missing: what did not run, and the command to type
"""

import ctypes
import os
import shutil
import subprocess
import sys

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The one without windows, which takes a third less processor time; then the whole, as different systems call it."""
LIBRARY = "libatomic1"
"""What Playwright's driver needs and a bare system lacks."""
PACKAGES = ("chromium-headless-shell", "chromium")
"""The first that there is: systems older than Debian 12 lack the one without windows."""
MISSING = f"Not run: tests/browser, for want of Chromium. Type: sudo apt-get install {PACKAGES[-1]} {LIBRARY}"
_ATTEMPTS = 3
"""A mirror may be in the middle of a change."""
_APT_GET = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60")
# Nothing recommended is needed: fonts are what it depends on.
_INSTALL = ("install", "--yes", "--no-install-recommends", LIBRARY)


def found() -> str | None:
    """Where it is, if it is there and can be driven."""
    return next((path for path in map(shutil.which, NAMES) if path), None) if can_be_driven() else None


def can_be_driven() -> bool:
    """Whether Playwright's driver finds its library."""
    try:
        ctypes.CDLL("libatomic.so.1")
    except OSError:
        return False
    return True


def is_required() -> bool:
    """Whether its absence is a failure."""
    return bool(os.environ.get("CI"))


def install() -> None:
    """Ends the process where it is required and cannot be had."""
    if found() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stdout.write(f"Installing {' or '.join(PACKAGES)} for the tests of the pages, by apt-get\n")
        sys.stdout.flush()
        sys.stderr.write(_install())
    if found() is None and is_required():
        sys.exit(MISSING)


def _install() -> str:
    """What apt-get complained of, if it is missing still."""
    complaint = ""
    for _ in range(_ATTEMPTS):
        _apt_get("update")
        for package in PACKAGES:
            complaint = _apt_get(*_INSTALL, package)
            if found():
                return ""
    return complaint


def _apt_get(*arguments: str) -> str:
    """What it complained of."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = [*_APT_GET, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False).stderr


def report() -> None:
    if found() is None:
        sys.stdout.write(MISSING + "\n")


if __name__ == "__main__":
    {"install": install, "report": report}[sys.argv[1]]()
