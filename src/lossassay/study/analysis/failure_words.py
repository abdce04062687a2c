"""What is told of a failed run: the error in one line, without a path of this machine."""

import re
from collections.abc import Collection
from pathlib import Path

_PLACE = "<path>"
_FRAME = '  File "'  # how a line of a traceback begins
_QUOTED = re.compile(r"""(['"])[^'"\n]*[/\\][^'"\n]*\1""")
_BARE = re.compile(r"""(?<![\w:/\\<])(?:~|[A-Za-z]:)?[/\\][^\s'"]*[^\s'".,:;)]""")


def in_one_line(message: str, folders: Collection[Path] = (), names: Collection[str] = ()) -> str:
    r"""Return a message, or the error at the end of a traceback, without places and names of files.

    Args:
        message: Of a worker.
        folders: Whose paths are known; these are found also where they have spaces.
        names: What is told as it is where it stands by itself, although it may look like a path: names of arms.

    Example:
        >>> in_one_line("Traceback (most recent call last):\n  File \"/home/me/loss.py\", line 3\nValueError: no")
        'ValueError: no'
    """
    lines = message.strip().splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith(_FRAME)]
    if frames:
        after = [line for line in lines[frames[-1] + 1 :] if line and not line.startswith(" ")]
        lines = after[:1] or lines[-1:]
    text = " ".join(line.strip() for line in lines)
    known = {str(form) for folder in folders for form in (folder, folder.resolve()) if len(form.parts) > 1}
    for path in sorted(known, key=len, reverse=True):
        text = re.sub(rf"(?<![\w/\\]){re.escape(path)}(?!\w)", lambda _: _PLACE, text)
    kept = sorted((name for name in names if re.search(r"[/\\]", name)), key=len, reverse=True)
    for number, name in enumerate(kept):
        text = re.sub(rf"(?<![\w/\\.~]){re.escape(name)}(?![\w/\\])", f"\0{number}\0", text)
    text = _BARE.sub(_PLACE, _QUOTED.sub(_PLACE, text)).replace(_PLACE + _PLACE, _PLACE)
    return re.sub(r"\0(\d+)\0", lambda found: kept[int(found[1])], text)
