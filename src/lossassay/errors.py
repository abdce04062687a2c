"""Every error that lossassay raises on purpose.

LossassayError            a message for people; the command line prints it and leaves with exit code 2
├── StudyFileError        study.toml: every problem found, all at once
├── UnknownNameError      a loss, model, metric or column that does not exist, with the nearest that does
├── DataError             the images, the table, the labels or the split
│   └── UnreadableError   not one of the images can be read
├── LabelError            labels that do not fit the loss
├── LossInputError        a loss that was not given what it needs, or not something usable
├── ModelError            a model that cannot be built for this input
├── ClusterError          a cluster that is not there, or whose nodes cannot compute the study
├── WorkerError           training processes of this machine that cannot start
├── OutFolderError        the out folder belongs to something else, or cannot be written
├── UnfinishedError       other processes still train what is left of a study, and we were told not to wait
└── TrackerError          MLflow or TensorBoard: not installed, not reached, or it refused

Each message says what came, what was expected and what to do.
"""

import difflib
from collections.abc import Iterable


class LossassayError(Exception):
    """Base of all errors that are meant for the user."""


class StudyFileError(LossassayError):
    """A study file with one or more problems.

    Args:
        source: The file's name, as the user gave it.
        problems: One sentence for each problem, with its place in the file.
    """

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(f"{source} has {count}:\n{lines}")


class UnknownNameError(LossassayError):
    """A name that is in no catalogue."""


class DataError(LossassayError):
    """Images, tables, labels or splits that cannot be used."""


class UnreadableError(DataError):
    """Images of which not one can be read.

    Args:
        place: Where they are, in words.
        reasons: Why, in sentences.
        advice: What to do.
    """

    def __init__(self, place: str, reasons: str, advice: str) -> None:
        self.reasons = reasons
        super().__init__(f"No image {place} can be read. {reasons} {advice}")


class LabelError(LossassayError):
    """Labels whose kind, shape or range does not fit the loss."""


class LossInputError(LossassayError):
    """What a loss needs besides scores and labels is missing, or cannot be used."""


class ModelError(LossassayError):
    """A model that cannot be built or does not keep the contract."""


class ClusterError(LossassayError):
    """A cluster that is not there, or whose nodes cannot compute the study."""


class WorkerError(LossassayError):
    """Training processes that end before they say anything.

    Args:
        deaths: How many of them, one after the other.
        last_words: How the last one ended, and the end of what it wrote to standard error.
    """

    def __init__(self, deaths: int, last_words: str) -> None:
        super().__init__(
            f"{deaths} training processes in a row ended before their first message; {last_words}. Expected processes "
            "that start: they run the same Python, packages and modules of your own as this one, and need memory for "
            "torch. Mend that, then give the same command again; everything that was finished is kept."
        )


class OutFolderError(LossassayError):
    """An out folder that cannot be used for this study."""


class UnfinishedError(LossassayError):
    """Other processes train what is left of a study.

    Args:
        runs: How many runs are left.
    """

    def __init__(self, runs: int) -> None:
        left = "1 run is" if runs == 1 else f"{runs} runs are"
        super().__init__(
            f"{left} left, and other processes train them. The last of these analyses the study and writes the report. "
            "Should they be cut off, give the same command again."
        )


class TrackerError(LossassayError):
    """A tracker that is not installed, cannot be reached or refuses."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known name nearest to ``name``, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def unknown_name(kind: str, name: str, known: Iterable[str], *, listed_by: str = "") -> UnknownNameError:
    """Build the error for a ``name`` of ``kind`` ('loss', 'model', ...) that is not among ``known``.

    Args:
        kind: What it should be.
        name: What came.
        known: What could have come.
        listed_by: A command that lists them; with it only the nearest are named.
    """
    known = sorted(known)
    if listed_by:
        near = difflib.get_close_matches(name, known, n=4, cutoff=0.4)
        like = f" Near it: {', '.join(near)}." if len(near) > 1 else ""
        return UnknownNameError(
            f"No {kind} is called {name!r}. `{listed_by}` lists them all.{like}{did_you_mean(name, known)}"
        )
    return UnknownNameError(f"No {kind} is called {name!r}. Known: {', '.join(known)}.{did_you_mean(name, known)}")
