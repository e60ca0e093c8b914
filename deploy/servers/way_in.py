"""Where PostgreSQL keeps its data for root: as another user, who must be able to reach them."""

import shutil
import tempfile
from pathlib import Path

from deploy.servers.launch import ServerFailed

OPEN_PLACE = Path("/var/lib")
_OTHERS_MAY_ENTER = 0o001


def reachable_folder(folder: Path, *, user: int) -> Path:
    """The folder itself where others may enter all that is above it; else one in OPEN_PLACE, to which a link then stands in
    its place. What it held moves along.

    Raises ServerFailed where no such folder can be made.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    closed = [one for one in folder.parents if not one.stat().st_mode & _OTHERS_MAY_ENTER]
    if not closed:
        return folder
    try:
        reachable = Path(tempfile.mkdtemp(prefix="freshrate-", dir=OPEN_PLACE))
    except OSError as error:
        raise ServerFailed(
            f"PostgreSQL does not run as root, and user {user} cannot enter {closed[-1]}, nor can a folder be made in "
            f"{OPEN_PLACE} ({error.strerror}): run this as an ordinary user, or keep the data in a folder that others may enter."
        ) from error
    if folder.exists():
        shutil.copytree(folder, reachable, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(folder)
    folder.symlink_to(reachable)
    return reachable
