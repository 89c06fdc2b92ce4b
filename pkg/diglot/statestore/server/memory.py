"""Returns the memory of a large document to the system when it is freed.

glibc raises the size from which a block gets its own mapping to the largest block freed so far. From then on, large
documents are in the heaps of the threads, which keep their pages: half of the peak under attack.
"""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
"""From malloc.h; setting it also stops its growth."""
_LARGE = 512 * 1024


def give_large_blocks_back() -> None:
    """Applies to the whole process. Without glibc there is nothing to set."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
