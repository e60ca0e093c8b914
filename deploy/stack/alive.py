"""Whether a process still runs."""

import contextlib
import os
from pathlib import Path


def is_alive(pid: int) -> bool:
    """One that has ended stays in the kernel's table until its parent has asked for its exit code: it is not alive."""
    # Nothing to read: it is gone, or this system tells in another way.
    with contextlib.suppress(OSError):
        if ") Z " in Path(f"/proc/{pid}/stat").read_text():
            return False
    try:
        with contextlib.suppress(PermissionError):
            os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
