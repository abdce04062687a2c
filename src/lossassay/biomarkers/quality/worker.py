"""A process that assesses features: one JSON message per line in, one out.

Started by `lossassay.executors.local`, which also says why it is a command and no forked process.
"""

import json
import os
import signal
import sys
import traceback
from typing import Any

from lossassay.biomarkers.quality.jobs import Job, Setup, Workplace
from lossassay.errors import LossassayError


def main() -> None:
    """Serve until standard input closes."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as channel:
        os.dup2(2, 1)  # whatever else prints goes to standard error
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
        first = sys.stdin.readline()
        if not first:
            return
        workplace = Workplace(Setup.of_data(json.loads(first)))
        for line in sys.stdin:
            channel.write(json.dumps(answer(workplace, json.loads(line))) + "\n")


def answer(workplace: Workplace, message: dict[str, Any]) -> dict[str, Any]:
    """Do one job; every outcome is a message.

    Args:
        workplace: Does it.
        message: ``{"id": number, "job": ...}``.

    Returns:
        ``{"event": "done", "id": ..., "values": [[criterion, probe, value]]}`` (numbers keep every bit), or
        ``{"event": "failed", "id": ..., "message": ..., "error": name of the class}``.
    """
    try:
        values = [(name, probe, float(value)) for name, probe, value in workplace.values(Job(**message["job"]))]
        return {"event": "done", "id": message["id"], "values": values}
    except LossassayError as error:
        return {"event": "failed", "id": message["id"], "message": str(error), "error": type(error).__name__}
    except Exception:
        return {"event": "failed", "id": message["id"], "message": traceback.format_exc(limit=-3)}


if __name__ == "__main__":
    main()
