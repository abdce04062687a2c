"""The answer in words: one sentence for the study, one row for each pair."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.reporting import formatting
from lossassay.reporting.audit_findings import accepted_codes
from lossassay.reporting.messages import Messages
from lossassay.reporting.words import (
    arm,
    arm_names,
    averaged_over,
    level,
    metric_name,
    other_scope_rows,
    primary_pairs,
    scope,
    unit_of_difference,
    verdict_word,
    with_unit,
)
from lossassay.study.folder.results import StudyResults

_REASONS = {
    "value and gradient are equal for every label": "reason.same_function",
    "fewer than two replicates": "reason.too_few",
    "the interval lies inside the margin": "reason.inside_margin",
    "the interval leaves out 0": "reason.leaves_out_zero",
    "the interval contains 0 and reaches past the margin": "reason.past_margin",
    "the interval contains 0, and no margin was stated": "reason.no_margin",
    "the interval lies inside the margin and leaves out 0": "reason.below_margin",
    "this method cannot decide with so few replicates": "reason.method_floor",
    "all scores are one number, which shows no spread": "reason.constant",
    "verdicts with and without diverged replicates differ": "reason.diverged",
}
# Codes that no reason says already: below_margin, diverged_matters and method_floor stand in the reason.
_NOTES = {
    "stopped_early": "note.stopped_early",
    "exploratory": "note.exploratory",
    "margin_below_resolution": "note.margin_below_resolution",
}
_TUNING_TIMES = {"tuning_time": "trial", "untuned_time": "untuned"}
_DECIDED = ("better", "worse", "equivalent")
_PARTS = {
    "difference": "answer.part.difference",
    "equivalent": "answer.part.equivalent",
    "undecided": "answer.part.undecided",
    "same function": "answer.part.same_function",
}
_SCOPES = {
    "procedure": "scope.procedure",
    "population": "scope.population",
    "official": "scope.official",
    "folds": "scope.folds",
    "sites": "scope.sites",
}
_FOR_WHOM = {
    "procedure": "answer.for.procedure",
    "population": "answer.for.population",
    "official": "answer.for.official",
    "folds": "answer.for.procedure",
    "sites": "answer.for.sites",
}


@dataclass(frozen=True, kw_only=True)
class PairRow:
    """One pair of arms as the verdict table shows it."""

    arm_a: Markup
    arm_b: Markup
    word: str
    kind: str  # for the style: the verdict without spaces
    difference: str
    low: str
    high: str
    p_adjusted: str
    p_holm: str
    p_max_t: str
    replicates: str
    reason: Markup | str
    notes: list[Markup]
    smallest_margin: str
    other_low: str
    other_high: str
    other_smallest_margin: str | None


def headline(results: StudyResults, m: Messages) -> Markup:
    """Return the answer in one sentence."""
    pairs = list(primary_pairs(results).iter_rows(named=True))
    if not pairs:
        return _one_arm(results, m)
    answer = _pair_sentence(pairs[0], results, m) if len(pairs) == 1 else _many(pairs, results, m)
    if all(pair["verdict"] == "same function" for pair in pairs):
        return answer[:1].upper() + answer[1:]
    whom = m(_FOR_WHOM[scope(results)], over=averaged_over(results, m))
    return m("answer.scoped", whom=whom, answer=answer)


def remarks(results: StudyResults, m: Messages) -> list[Markup]:
    """Return what stands right below the answer: who was not beaten, one function, for whom, tuning, how sure, cost."""
    facts = results.facts
    pairs = list(primary_pairs(results).iter_rows(named=True))
    same = facts.get("same_function_pairs", ())
    found = []
    beaten = _beaten(pairs)
    if beaten and results.study.evidence.compare == "all":
        left = [arm(name) for name in arm_names(results) if name not in beaten]
        found.append(m("remark.not_beaten", arms=Markup(", ").join(left)))
    for pair in same:
        sentences = [_same_function(pair, m)] if len(pairs) > 1 else []
        sentences += [m("remark.same_start", **_starts(pair))] if pair["replicates"] else []
        found.append(Markup(" ").join(sentences))
    found.append(m(_SCOPES[scope(results)], over=averaged_over(results, m)))
    return [*found, *_tuned(results, m), *_surety(pairs, results, m), _cost(results, m)]


def other_scope(results: StudyResults, m: Messages) -> Markup | None:
    """Return the head of the column with the interval of the scope that the verdicts are not about; None: no column."""
    if not other_scope_rows(results):
        return None
    return m("table.for_population" if results.facts["scope"] == "procedure" else "table.for_procedure")


def unit_of_table(results: StudyResults, m: Messages) -> Markup:
    """Say in which unit the table of verdicts stands."""
    return m("section.answer.unit", unit=unit_of_difference(m, results.facts["primary_metric"]))


def _tuned(results: StudyResults, m: Messages) -> Iterator[Markup]:
    """Say what the verdicts of a tuned study are about, and how many of them hang on the tuning."""
    tuning, facts = results.study.tuning, results.facts.get("tuning")
    if tuning is None or not facts:
        return
    said = m(f"remark.tuned.{tuning.scope}")
    if pairs := facts.get("pairs_with_interval"):
        said = Markup("{} {}").format(said, m("remark.tuning_moved", moved=facts["pairs_moved"], pairs=pairs))
    yield said


def _surety(pairs: list[dict[str, Any]], results: StudyResults, m: Messages) -> Iterator[Markup]:
    """Say how often the rule errs, where it decided something and was not changed on the way."""
    if any(pair["verdict"] in _DECIDED for pair in pairs) and not results.facts.get("exploratory"):
        key = "remark.sure.one" if len(pairs) == 1 else "remark.sure.other"
        yield m(key, alpha=formatting.setting(100 * results.facts["alpha"]))


def _cost(results: StudyResults, m: Messages) -> Markup:
    facts = results.facts
    done = facts.get("runs_finished", 0) + facts.get("runs_diverged", 0)
    fields = {"runs": m.counted("count.runs", done), "time": formatting.duration(facts.get("train_seconds_total"))}
    saved = facts.get("runs_saved")
    if saved:
        said = m("remark.cost_saved", saved=m.counted("count.runs", saved), **fields)
    else:
        said = m("remark.cost", **fields)
    tuning = facts.get("tuning") or {}
    if "trial_seconds" not in tuning:  # not tuned, or a folder from before it was stored
        return said
    times = {name: formatting.duration(tuning[f"{what}_seconds"]) for name, what in _TUNING_TIMES.items()}
    key = "remark.cost_tuned" if tuning["untuned_seconds"] else "remark.cost_tuned_alone"
    return Markup("{} {}").format(said, m(key, **times))


def warnings(results: StudyResults, m: Messages) -> list[Markup]:
    """Return what can change the answer: accepted findings, missing, diverged and failed runs, a changed rule."""
    facts = results.facts
    done = sum(facts.get(f"runs_{name}", 0) for name in ("finished", "diverged", "untuned"))
    found = []
    accepted = accepted_codes(results)
    if accepted:
        found.append(m("warning.accepted", codes=", ".join(accepted)))
    if done < facts.get("runs_planned", done):
        found.append(m("warning.unfinished", done=done, planned=facts["runs_planned"]))
    if facts.get("runs_diverged"):
        found.append(m("warning.diverged", runs=m.counted("count.runs", facts["runs_diverged"])))
    if facts.get("runs_failed"):
        found.append(m("warning.failed", runs=m.counted("count.runs", facts["runs_failed"])))
    if facts.get("jobs_failed"):
        found.append(m("warning.failed_jobs", jobs=m.counted("count.jobs", facts["jobs_failed"])))
    if cuts := _cuts_at_chance(results):
        found.append(m("warning.tuned_at_chance", arms=Markup(", ").join(map(arm, cuts))))
    if facts.get("changes"):
        found.append(m("warning.changed", changes="; ".join(facts["changes"])))
    if facts.get("exploratory"):
        found.append(m("warning.exploratory"))
    return found


def _cuts_at_chance(results: StudyResults) -> list[str]:
    """Return the arms whose trials were stopped before they had learnt anything."""
    found = results.tables["checks"].filter(code="tuning-cut-at-chance", status="failed")["fields"]
    return [name for fields in found for name in dict.fromkeys(cut[0] for cut in json.loads(fields)["cuts"])]


def pair_rows(results: StudyResults, m: Messages) -> list[PairRow]:
    """Return the verdict of every pair, in the order of the forest plot, with the interval of the other scope."""
    metric, others = results.facts["primary_metric"], other_scope_rows(results)
    return [
        _pair_row(pair, others.get((pair["arm_a"], pair["arm_b"]), {}), metric, m)
        for pair in primary_pairs(results).iter_rows(named=True)
    ]


def _pair_row(pair: dict[str, Any], other: dict[str, Any], metric: str, m: Messages) -> PairRow:
    return PairRow(
        arm_a=arm(pair["arm_a"]),
        arm_b=arm(pair["arm_b"]),
        word=verdict_word(m, pair["verdict"]),
        kind=pair["verdict"].replace(" ", "-"),
        difference=formatting.difference(metric, pair["difference"]),
        low=formatting.difference(metric, pair["low"]),
        high=formatting.difference(metric, pair["high"]),
        p_adjusted=formatting.p_value(pair["p_adjusted"]),
        p_holm=formatting.p_value(pair.get("p_holm")),
        p_max_t=formatting.p_value(pair.get("p_max_t")),
        replicates=formatting.count(pair["replicates"]),
        reason=_reason(pair, m),
        notes=[*_notes(pair, m), *_more(pair, m)],
        smallest_margin=formatting.size_of_difference(metric, pair.get("smallest_margin")),
        other_low=formatting.difference(metric, other.get("low")),
        other_high=formatting.difference(metric, other.get("high")),
        other_smallest_margin=_margin_of(metric, other),
    )


def _margin_of(metric: str, row: dict[str, Any]) -> str | None:
    smallest = row.get("smallest_margin")
    return None if smallest is None else formatting.size_of_difference(metric, smallest)


def _notes(pair: dict[str, Any], m: Messages) -> list[Markup]:
    return [m(f"{key}.short") for code, key in _NOTES.items() if code in _codes(pair)]


def notes_in_words(results: StudyResults, m: Messages) -> list[Markup]:
    """Return what the notes in the table of verdicts mean, each once."""
    codes = {code for pair in primary_pairs(results).iter_rows(named=True) for code in _codes(pair)}
    return [m(f"{key}.text") for code, key in _NOTES.items() if code in codes]


def _codes(pair: dict[str, Any]) -> list[str]:
    return (pair.get("notes") or "").split(";")


def _more(pair: dict[str, Any], m: Messages) -> list[Markup]:
    """Say how many more replicates an undecided pair would take, if its difference stays where it is."""
    if pair["verdict"] != "undecided" or pair.get("more_patients") is None:
        return []
    low, high = pair["more_low"], pair["more_high"]
    if pair["more_patients"]:
        return [m("more.patients")]
    if low is None:
        return [m("more.endless")]
    if high is None:
        return [m("more.at_least", low=formatting.count(low))]
    if low == high:
        return [m("more.one", low=formatting.count(low))]
    return [m("more.range", low=formatting.count(low), high=formatting.count(high))]


def _one_arm(results: StudyResults, m: Messages) -> Markup:
    metric = results.facts["primary_metric"]
    for row in results.tables["arms"].iter_rows(named=True):
        if row["metric"] == metric and row["estimate"] is not None:
            value = formatting.value(metric, row["estimate"])
            number = m.counted("count.replicates", row["replicates"])
            return m(
                "answer.one_arm", arm=arm(row["arm"]), metric=metric_name(m, metric), value=value, replicates=number
            )
    return m("answer.nothing")


def _many(pairs: list[dict[str, Any]], results: StudyResults, m: Messages) -> Markup:
    metric, margin = results.facts["primary_metric"], results.facts.get("margin")
    words = Counter("difference" if pair["verdict"] in ("better", "worse") else pair["verdict"] for pair in pairs)
    within = formatting.size_of_difference(metric, margin)
    parts = [
        m(f"{key}.one" if words[word] == 1 else f"{key}.other", number=words[word], margin=with_unit(m, metric, within))
        for word, key in _PARTS.items()
        if words[word]
    ]
    listing = m("answer.and", first=Markup(", ").join(parts[:-1]), last=parts[-1]) if len(parts) > 1 else parts[0]
    return m(
        "answer.many",
        pairs=len(pairs),
        metric=metric_name(m, metric),
        parts=listing,
        replicates=_replicates(pairs, m),
    )


def _replicates(pairs: list[dict[str, Any]], m: Messages) -> str | Markup:
    """Return how many replicates the verdicts rest on: arms may stop one by one."""
    numbers = [pair["replicates"] for pair in pairs if pair["verdict"] != "same function"] or [pairs[0]["replicates"]]
    if min(numbers) == max(numbers):
        return m.counted("count.replicates", numbers[0])
    return m("answer.replicates", low=min(numbers), high=max(numbers))


def _pair_sentence(pair: dict[str, Any], results: StudyResults, m: Messages) -> Markup:
    if pair["verdict"] == "same function":
        observed = results.facts.get("same_function_pairs", ())
        return _same_function(next(iter(observed), pair | {"replicates": 0}), m)
    metric, margin = results.facts["primary_metric"], results.facts.get("margin")
    fields = {
        "metric": metric_name(m, metric),
        "level": level(results.facts),
        "replicates": m.counted("count.replicates", pair["replicates"]),
        "margin": with_unit(m, metric, formatting.size_of_difference(metric, margin)),
        "reason": _reason(pair, m),
    }
    if pair["verdict"] in ("better", "worse"):
        return m("answer.difference", **fields, **_winner_first(pair, metric, m))
    limits = {name: formatting.difference(metric, pair[name]) for name in ("low", "high")}
    shown = with_unit(m, metric, formatting.difference(metric, pair["difference"]))
    sentence = "answer.equivalent" if pair["verdict"] == "equivalent" else "answer.undecided"
    if pair["low"] is None:
        sentence = "answer.no_interval"
    return m(sentence, a=arm(pair["arm_a"]), b=arm(pair["arm_b"]), difference=shown, **limits, **fields)


def _winner_first(pair: dict[str, Any], metric: str, m: Messages) -> dict[str, Any]:
    """Return names and sizes so that the sentence begins with the better arm and needs no minus sign."""
    names = [arm(pair["arm_a"]), arm(pair["arm_b"])]
    winner, loser = names if pair["verdict"] == "better" else reversed(names)
    low, high = sorted((pair["low"], pair["high"]), key=abs)
    return {
        "winner": winner,
        "loser": loser,
        "difference": with_unit(m, metric, formatting.size_of_difference(metric, pair["difference"])),
        "low": formatting.size_of_difference(metric, low),
        "high": formatting.size_of_difference(metric, high),
        "direction": m("answer.higher" if YARDSTICKS[metric].best == "high" else "answer.lower"),
    }


def _same_function(pair: dict[str, Any], m: Messages) -> Markup:
    names = {"a": arm(pair["arm_a"]), "b": arm(pair["arm_b"])}
    largest, number = pair.get("largest_score_difference"), pair["replicates"]
    if not number or largest is None:
        return m("answer.same_untrained", **names)
    if largest == 0:
        return m("answer.same_exact", **names, n=number)
    return m("answer.same_rounded", **names, n=number, largest=formatting.significant(largest, 2))


def _starts(pair: dict[str, Any]) -> dict[str, Any]:
    return {"init": pair["init_equal"], "order": pair["order_equal"], "n": pair["replicates"]}


def _reason(pair: dict[str, Any], m: Messages) -> Markup | str:
    stored = pair.get("reason") or ""
    return m(_REASONS[stored]) if stored in _REASONS else stored


def _beaten(pairs: list[dict[str, Any]]) -> set[str]:
    losers = {"better": "arm_b", "worse": "arm_a"}
    return {pair[losers[pair["verdict"]]] for pair in pairs if pair["verdict"] in losers}
