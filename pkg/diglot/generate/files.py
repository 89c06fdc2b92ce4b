"""The generated files on disk: written, or compared with what should be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from diglot.errors import ConfigurationError
from diglot.generate.modules import MARK


def write(out: Path, files: Mapping[str, str]) -> list[Path]:
    """Writes the files, and removes generated ones whose query file is gone; returns those that changed.

    ConfigurationError, with nothing written, if a file of this name was not generated.
    """
    for name in files:
        if (out / name).exists() and not _is_generated(out / name):
            raise ConfigurationError(f"{out / name} was not generated: move it away, or choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in files.items():
        if _read(out / name) != text:
            (out / name).write_text(text, "utf-8", newline="\n")
            changed.append(out / name)
    for path in _left_over(out, files):
        path.unlink()
        changed.append(path)
    return changed


def stale(out: Path, files: Mapping[str, str]) -> list[tuple[Path, str]]:
    """The files that are not as they should be, each with what is wrong: "missing", "out of date", "left over"."""
    found = [
        (out / name, "missing" if there is None else "out of date")
        for name, text in files.items()
        for there in [_read(out / name)]
        if there != text
    ]
    return found + [(path, "left over") for path in _left_over(out, files)]


def _left_over(out: Path, files: Mapping[str, str]) -> Iterator[Path]:
    for path in sorted(out.glob("*.py")):
        if path.name not in files and _is_generated(path):
            yield path


def _is_generated(path: Path) -> bool:
    return (_read(path) or "").startswith(MARK)


def _read(path: Path) -> str | None:
    """None for a file that does not exist; with LF line ends, whatever a version control system made of them."""
    try:
        return path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    except FileNotFoundError:
        return None
