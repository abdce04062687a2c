"""Numbers as people read them. Shares stand in percent and their differences in points; the rest keep their unit."""

from collections.abc import Sequence

NOTHING = "–"
_MINUS = "\N{MINUS SIGN}"
_NARROW = "\N{NARROW NO-BREAK SPACE}"
# Yardsticks that people say in percent. AUROC, F1, correlations and errors are said as plain numbers.
_IN_PERCENT = frozenset({"accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "share"})


def in_percent(metric: str) -> bool:
    """Return whether a yardstick is shown in percent, and its differences in percentage points."""
    return metric in _IN_PERCENT


def shown_scale(metric: str) -> float:
    """Return what a stored value is multiplied by to be shown: 100 for shares, else 1."""
    return 100.0 if in_percent(metric) else 1.0


def value(metric: str, stored: float | None) -> str:
    """Format a yardstick, for example ``"97.3 %"`` or ``"0.112"``; None gives a dash."""
    if stored is None:
        return NOTHING
    return f"{_signed(100 * stored, '.1f')}{_NARROW}%" if in_percent(metric) else _signed(stored, ".3f")


def bare_value(metric: str, stored: float | None) -> str:
    """Format a yardstick without its unit, for limits of intervals."""
    return value(metric, stored).removesuffix(f"{_NARROW}%")


def difference(metric: str, stored: float | None) -> str:
    """Format a difference without its unit, with its sign: ``"+0.78"``; exactly no difference is ``"0"``."""
    if stored is None:
        return NOTHING
    if stored == 0:
        return "0"
    text = f"{stored * shown_scale(metric):+.2f}" if in_percent(metric) else f"{stored:+.4f}"
    return text.replace("-", _MINUS)


def size_of_difference(metric: str, stored: float | None) -> str:
    """Format how large a difference is, without sign and unit."""
    return difference(metric, stored).lstrip(f"+{_MINUS}")


def probability(stored: float) -> str:
    """Format a probability in percent; what would round to nothing is ``"<0.1 %"``."""
    return f"<0.1{_NARROW}%" if 0 < stored < 0.0005 else value("share", stored)


def p_value(stored: float | None) -> str:
    """Format a p-value."""
    if stored is None:
        return NOTHING
    return "<" + _NARROW + "0.001" if stored < 0.001 else f"{stored:.3f}"


def count(number: float | None) -> str:
    """Format a whole number with thousands separators."""
    return NOTHING if number is None else f"{number:,.0f}"


def significant(number: float | None, digits: int = 3) -> str:
    """Format a number with so many significant digits and no exponent where that stays readable."""
    if number is None:
        return NOTHING
    if number != 0 and not 1e-4 <= abs(number) < 1e7:
        return f"{number:.{digits - 1}e}".replace("-", _MINUS)
    decimals = max(0, digits - 1 - _magnitude(number))
    return _signed(number, f",.{decimals}f")


def setting(number: float) -> str:
    """Format a number as it stands in a study file."""
    return f"{number:g}".replace("-", _MINUS)


def size_in_bytes(number: float | None) -> str:
    """Format bytes with a binary unit, for example ``"1.5 MiB"``."""
    if number is None:
        return NOTHING
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:,.0f}{_NARROW}{unit}" if unit == "B" or number >= 100 else f"{number:,.1f}{_NARROW}{unit}"


def duration(seconds: float | None) -> str:
    """Format a time, for example ``"0.42 s"``, ``"3 min 20 s"`` or ``"2 h 5 min"``."""
    if seconds is None:
        return NOTHING
    if seconds < 120:
        return f"{significant(seconds, 2 if seconds < 10 else 3)}{_NARROW}s"
    if seconds < 7200:
        return f"{int(seconds // 60)}{_NARROW}min {int(seconds % 60)}{_NARROW}s"
    return f"{int(seconds // 3600)}{_NARROW}h {int(seconds % 3600 // 60)}{_NARROW}min"


def listed(numbers: Sequence[float]) -> str:
    """Format a few numbers in one line."""
    return ", ".join(significant(number) for number in numbers)


def _signed(number: float, form: str) -> str:
    text = format(number, form)
    return (text if float(text.replace(",", "")) != 0 else text.lstrip("-")).replace("-", _MINUS)


def _magnitude(number: float) -> int:
    return int(f"{number:e}".partition("e")[2]) if number else 0
