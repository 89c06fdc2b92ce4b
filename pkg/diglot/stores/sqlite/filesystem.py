"""Whether a folder is on a network file system, where SQLite's locks and its shared memory can't be trusted.

Linux says so in ``/proc/self/mountinfo``; without that file, no folder is refused.
"""

from __future__ import annotations

import os
from pathlib import Path

from diglot.errors import ConfigurationError

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "beegfs", "gpfs", "gfs2"),
        *("fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.glusterfs", "fuse.ceph", "fuse.davfs"),
    }
)


def refuse_network(folder: Path, mounts: Path = MOUNTS) -> None:
    """ConfigurationError if the folder is on a network file system."""
    kind = filesystem(folder, mounts)
    if kind in NETWORK:
        raise ConfigurationError(
            f"the folder {folder} is on a network file system ({kind}), whose locks SQLite can't trust: "
            "use a local disk, or PostgreSQL"
        )


def filesystem(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """The type of the file system (``ext4``) that the folder is on; None if it is unknown."""
    try:
        device = folder.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    for line in lines:
        # 36 35 98:0 /root /mount options … - type source options
        before, _, after = line.partition(" - ")
        if before.split(" ")[2:3] == [number]:
            return after.split(" ", 1)[0]
    return None
