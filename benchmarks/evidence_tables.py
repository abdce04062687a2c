"""The tables of the simulations as Markdown, made from a record's counts and from nothing else."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.evidence_cells import CELLS, EXCHANGEABLE, LOOKS, UNEQUAL
from benchmarks.evidence_errors import P_LEVELS, gate
from benchmarks.evidence_naive import ANALYSES, STUDIES
from benchmarks.evidence_noise import NOISES, Array
from benchmarks.evidence_replicates import MOST, MOST_FIXED, QUESTIONS, fewest, quantile

Found = Mapping[str, Any]  # kind -> name -> count -> array
WORDS = {"planned": "planned 6 to 30", "anytime": "anytime 6 to 30"}
RULES = [WORDS.get(looks, looks) for looks in LOOKS]


def share(count: Any, of: Any) -> str:
    """A share in per cent with its Monte-Carlo standard error."""
    value = float(count) / float(of)
    error = (value * (1 - value) / float(of)) ** 0.5
    return f"{100 * value:.2f} ± {100 * error:.2f}"


def table(head: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    """Markdown."""
    head = list(head)
    lines = [head, ["-"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(value) for value in line) + " |" for line in lines)


def _cells(found: Found, keep: Callable[[Any], bool]) -> list[tuple[Any, dict[str, Array]]]:
    return [(CELLS[name], counts) for name, counts in found.get("errors", {}).items() if keep(CELLS[name])]


def _by_rule(cells: list[tuple[Any, dict[str, Array]]], lead: Callable[[Any], tuple[Any, ...]]) -> list[Any]:
    """Any false verdict: a row for each leading key, a column for each rule; bold above the gate."""
    rows: dict[tuple[Any, ...], dict[str, str]] = {}
    for cell, counts in cells:
        of = int(counts["studies"])
        text, over = share(counts["false"], of), counts["false"] / of > gate(of)
        rows.setdefault(lead(cell), {})[cell.looks] = f"**{text}**" if over else text
    return [[*first, *(shares.get(looks, "") for looks in LOOKS)] for first, shares in rows.items()]


def _noise_and_arms(cell: Any) -> tuple[Any, ...]:
    return cell.noise, cell.arms


def equal_arms(found: Found) -> str:
    """Any false verdict where all arms are equal."""
    cells = _cells(found, lambda cell: cell.gated and cell.margin is None and not cell.patients)
    return table(["runs", "arms", *RULES], _by_rule(cells, _noise_and_arms))


def at_the_margin(found: Found) -> str:
    """Any false verdict where half of the arms are one margin above the others."""
    cells = _cells(found, lambda cell: cell.gated and cell.margin is not None)
    return table(["runs", "arms", *RULES], _by_rule(cells, _noise_and_arms))


def population_stopping(found: Found) -> str:
    """Any false verdict about new patients, with early stopping."""
    rows = [
        [cell.arms, WORDS[cell.looks], share(counts["false"], counts["studies"])]
        for cell, counts in _cells(found, lambda cell: cell.patients > 0)
    ]
    return table(["arms", "rule", "any false verdict"], rows)


def hard_cases(found: Found) -> str:
    """Any false verdict where t does not hold by its nature: reported, not gated."""
    cells = _cells(found, lambda cell: not cell.gated)
    rows = _by_rule(cells, lambda cell: (cell.noise, cell.truth, cell.arms))
    return table(["runs", "truth", "arms", *RULES], rows)


def kinds_of_runs(found: Found) -> str:
    """What the names of runs mean."""
    del found
    rows = [[f"`{name}`", NOISES[name].words] for name in (*EXCHANGEABLE, *UNEQUAL)]
    return table(["runs", "what they are like"], rows)


def max_t_errors(found: Found) -> str:
    """Sign-flip max-T: any false verdict, and whether all intervals hold."""
    rows = [
        [name, f"{counts['studies']:,.0f}", share(counts["false"], counts["studies"]), _held(counts)]
        for name, counts in found.get("max_t", {}).items()
    ]
    return table(["studies", "number", "any false verdict", "all intervals hold"], rows)


def _held(counts: Mapping[str, Any], key: str = "missed_when_stopped") -> str:
    return share(counts["studies"] - counts[key], counts["studies"]) if key in counts else ""


def single_intervals(found: Found) -> str:
    """Coverage of intervals of one arm and of one comparison, with fixed replicates."""
    rows = []
    for name, counts in found.get("arms", {}).items():
        noise, replicates = name.rsplit(", ", 1)
        pair = [
            found.get("errors", {}).get(f"{truth}, {noise}, 2 arms, fixed {replicates}", {})
            for truth in ("equal arms", "at the margin")
        ]
        mean, spread = (_held(counts, key) for key in ("mean_missed", "spread_missed"))
        rows.append([noise, replicates, mean, *(_held(one) for one in pair), spread])
    head = ["runs", "replicates", "mean of one arm", "difference, truth 0", "difference, truth 1 sd", "spread"]
    return table(head, rows)


def simultaneous_intervals(found: Found) -> str:
    """Coverage of all intervals of a study together, with fixed replicates and 3, 6 or 12 arms."""
    cells = _cells(found, lambda cell: cell.gated and cell.looks.startswith("fixed") and cell.arms > 2)
    rows: dict[tuple[Any, ...], dict[str, str]] = {}
    for cell, counts in cells:
        rows.setdefault((cell.noise, cell.arms, cell.truth), {})[cell.looks] = _held(counts)
    looks = [name for name in LOOKS if name.startswith("fixed")]
    return table(
        ["runs", "arms", "truth", *looks], [[*first, *(one.get(k, "") for k in looks)] for first, one in rows.items()]
    )


def looks(found: Found) -> str:
    """Coverage under early stopping: of all pairs' intervals where they stopped, and at all looks had none stopped."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for cell, counts in _cells(found, lambda cell: cell.gated and cell.looks in WORDS and not cell.patients):
        rows.setdefault((cell.noise, cell.arms, cell.truth), {})[cell.looks] = counts
    keys = ("missed_when_stopped", "missed_at_some_look")
    head = [f"{kind}, {at}" for kind in WORDS for at in ("when stopped", "at all looks")]
    lines = [
        [*first, *(_held(one[kind], key) if kind in one else "" for kind in WORDS for key in keys)]
        for first, one in rows.items()
    ]
    return table(["runs", "arms", "truth", *head], lines)


def p_values(found: Found) -> str:
    """How often the smallest adjusted p of a study without any difference is at most a level."""
    rows = [
        [name.rsplit(", ", 1)[1], *(share(count, counts["studies"]) for count in counts["at_most"])]
        for name, counts in found.get("p_values", {}).items()
    ]
    return table(["rule", *(f"p at most {level:g}" for level in P_LEVELS)], rows)


def replicates(found: Found) -> str:
    """Replicates to the right word."""
    rows = []
    for name, counts in found.get("replicates", {}).items():
        question = QUESTIONS[name]
        power = 1 - counts["one_pair"][0] / counts["studies"]
        fixed = fewest(question.fixed_power, power)
        truth = f"{question.effect:g} sd apart" if question.margin is None else f"equal, margin {question.margin:g} sd"
        rows.append(
            [
                question.arms,
                truth,
                question.looks,
                _number(quantile(counts["one_pair"], 0.5)),
                _number(quantile(counts["one_pair"], 0.95)),
                f"{power:.3f}",
                f"over {MOST_FIXED}" if fixed is None else fixed,
                f"{question.fixed_power(MOST):.3f}",
                _number(quantile(counts["first_pair"], 0.5)) if question.arms > 2 else "",
                _number(quantile(counts["all_pairs"], 0.5)) if question.arms > 2 else "",
                f"{counts['runs'] / counts['studies'] / question.arms:.1f}",
            ]
        )
    head = ["arms", "truth", "looks", "median", "95th percentile", "power by 30", "fixed t of equal power needs"]
    head += ["power of a fixed 30", "first pair: median", "all pairs: median", "mean replicates an arm"]
    return table(head, rows)


def _number(value: int | None) -> Any:
    return f"over {MOST}" if value is None else value


def naive(found: Found) -> str:
    """Shares of studies in which an analysis calls some pair different."""
    studies = [name for name in STUDIES if name in found.get("naive", {})]
    rows = [
        [analysis, *(_naive_share(found["naive"][name], place) for name in studies)]
        for place, analysis in enumerate(ANALYSES)
    ]
    return table(["analysis", *studies], rows)


def _naive_share(counts: Mapping[str, Any], place: int) -> str:
    return share(counts["called"][place], counts["studies"])


def population(found: Found) -> str:
    """Claims about new patients: patients, splits and runs drawn anew."""
    rows = []
    for name, counts in found.get("population", {}).items():
        for analysis, values in counts.items():
            if analysis not in ("studies", "pairs"):
                different, missed, covered, width = values
                of, pairs = counts["studies"], counts["pairs"]
                rows.append([name, analysis, f"{of:,.0f}", share(different, of), share(missed, of)])
                rows[-1] += [share(covered, pairs), f"{width / pairs:.4f}"]
    head = ["studies", "analysis", "number", "some pair called different", "some interval misses the truth"]
    return table([*head, "intervals that hold", "mean width"], rows)


def required(found: Found) -> str:
    """What was asked for, beside what was found."""
    return table(["asked for", "found", "met"], [[a, b, "yes" if met else "**no**"] for a, b, met in _required(found)])


def _required(found: Found) -> list[tuple[str, str, bool]]:
    rows: list[tuple[str, str, bool]] = []
    gated = [(cell.name, c) for cell, c in _cells(found, lambda cell: cell.gated)]
    gated += [(f"max-T: {n}", c) for n, c in found.get("max_t", {}).items() if NOISES[CELLS[n].noise].equal_shapes]
    if gated:
        over = [name for name, c in gated if c["false"] / c["studies"] > gate(int(c["studies"]))]
        name, worst = max(gated, key=lambda one: one[1]["false"] / one[1]["studies"])
        limit = f"{100 * gate(int(worst['studies'])):.1f} %"
        text = f"{len(over)} of {len(gated)} above; largest {share(worst['false'], worst['studies'])} % ({name})"
        rows.append((f"any false verdict in at most {limit} of studies, every gated cell", text, not over))
    for noise, replicates_ in (("normal", 5), ("normal", 10), ("normal", 30)):
        pair = found.get("errors", {}).get(f"equal arms, {noise}, 2 arms, fixed {replicates_}")
        if pair:
            held = 1 - pair["missed_when_stopped"] / pair["studies"]
            text = f"single t holds in 94 to 96 % of studies: {noise} runs, {replicates_} replicates"
            rows.append((text, f"{_held(pair)} %", 0.94 <= held <= 0.96))
    rows += _required_looks(found) + _required_replicates(found) + _required_population(found)
    return rows


def _required_looks(found: Found) -> list[tuple[str, str, bool]]:
    rows = []
    for kind in WORDS:
        cells = _cells(found, lambda cell, kind=kind: cell.gated and cell.looks == kind and not cell.patients)
        if cells:
            key = "missed_at_some_look"
            cell, worst = max(cells, key=lambda one: one[1][key] / one[1]["studies"])
            allowed = gate(int(worst["studies"]))
            text = f"smallest: {_held(worst, key)} % ({cell.name})"
            asked = f"{kind} intervals hold at all looks in 95 % of studies (less 3.5 standard errors)"
            rows.append((asked, text, bool(worst[key] / worst["studies"] <= allowed)))
    return rows


ASKED = (  # question, most replicates in the median, least power
    ("2 arms, 0.674 sd, planned", 20, 0.90),
    ("6 arms, 2 sd, planned", 14, 0.0),
    ("6 arms, 1 sd, planned", 22, 0.0),
    ("2 arms, 0 sd, margin 1.5 sd, planned", 16, 0.0),
)


def _required_replicates(found: Found) -> list[tuple[str, str, bool]]:
    rows = []
    for name, most, least in ASKED:
        counts = found.get("replicates", {}).get(name)
        if counts:
            median, power = quantile(counts["one_pair"], 0.5), 1 - counts["one_pair"][0] / counts["studies"]
            asked = f"{name}: one pair decided by {most} replicates in the median" + (
                f", power at least {least:g}" if least else ""
            )
            met = median is not None and median <= most and power >= least
            rows.append((asked, f"{_number(median)}, power {power:.3f}", met))
    return rows


def _required_population(found: Found) -> list[tuple[str, str, bool]]:
    """Where no interval misses the truth, no verdict is false; with an official split the truth is not 0."""
    analysis = "population interval"
    cells = [(n, c[analysis][1] / c["studies"], c) for n, c in found.get("population", {}).items() if analysis in c]
    if not cells:
        return []
    name, missed, counts = max(cells, key=lambda one: one[1])
    allowed = gate(int(counts["studies"]))
    held = share(counts["studies"] - counts[analysis][1], counts["studies"])
    asked = "population intervals hold together in 95 % of studies (less 3.5 standard errors), data set redrawn"
    return [(asked, f"smallest: {held} % ({name})", bool(missed <= allowed))]


TABLES: dict[str, Callable[[Found], str]] = {
    "what was asked for": required,
    "kinds of runs": kinds_of_runs,
    "equal arms": equal_arms,
    "at the margin": at_the_margin,
    "sign flips": max_t_errors,
    "population with early stopping": population_stopping,
    "hard cases": hard_cases,
    "single intervals": single_intervals,
    "simultaneous intervals": simultaneous_intervals,
    "intervals under early stopping": looks,
    "adjusted p": p_values,
    "replicates to a verdict": replicates,
    "other analyses": naive,
    "new patients": population,
}


def tables(found: Found) -> dict[str, str]:
    """Return all tables that the counts allow, by name."""
    made = {name: make(found) for name, make in TABLES.items()}
    return {name: text for name, text in made.items() if text.count("\n") > 1}


def readme(found: Found, facts: Mapping[str, Any]) -> str:
    """The page of a record."""
    machine = facts["environment"]
    gib = facts["largest_process_bytes"] / 2**30
    parts = [
        "# Verdicts by simulation\n",
        f"`{facts['command']}` at commit {facts['commit']}: {facts['wall_seconds']:,} s with {facts['workers']} "
        f"processes ({machine['processor']}, {machine['cores']} cores), at most {gib:.2f} GiB each. All counts are in "
        "`counts.csv`, versions and seeds in `record.json`; what the tables mean is in `docs/evidence.md`. Shares in "
        "per cent, with their Monte-Carlo standard error.\n",
    ]
    parts += [facts["note"] + "\n"] if "note" in facts else []
    parts += [f"## {name.capitalize()}\n\n{text}\n" for name, text in tables(found).items()]
    return "\n".join(parts)


def write_docs(page: Path, found: Found) -> None:
    """Put the tables between the markers of a page."""
    text = page.read_text(encoding="utf-8")
    for name, made in tables(found).items():
        marked = f"<!-- table: {name} -->\n{made}\n<!-- end -->"
        pattern = rf"<!-- table: {re.escape(name)} -->.*?<!-- end -->"
        text = re.sub(pattern, lambda _, new=marked: new, text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")
