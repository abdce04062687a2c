"""Which loss leaves the better features behind: the second answer of a study, in words and tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from lossassay.catalogue.criteria import CRITERIA
from lossassay.config import CONTROL_ARMS
from lossassay.reporting import formatting
from lossassay.reporting.bibliography import ENTRIES
from lossassay.reporting.messages import Messages
from lossassay.reporting.tables import Cell, Table
from lossassay.reporting.words import arm, arm_names, capital, level, metric_name, verdict_word
from lossassay.study.folder.results import StudyResults

BASELINE = "classical baseline"
# As biomarkers.noisy_views draws them.
_VIEWS = {"shift": "2", "rotation": "2", "scale": "2"}
# As biomarkers.visits names where the smallest detectable change comes from.
_COEFFICIENTS = {"repeat images": "repeats", "noisy views": "views"}


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the section holds.

    Args:
        text: What it is about.
        answers: The answer, sentence by sentence.
        remarks: What to keep in mind.
        over_time: Of change over visits; empty where no patient came twice.
        criterion: Name of the criterion that carries the verdict.
        pairs: Its verdicts.
        every: All criteria.
        paragraph: For a methods section.
        bibtex: Its references.
    """

    text: Markup
    answers: list[Markup]
    remarks: list[Markup]
    over_time: list[Markup]
    criterion: str
    pairs: Table | None
    every: Table | None
    paragraph: Markup
    bibtex: str


def section(results: StudyResults, m: Messages) -> Section | None:
    """Return the section; None where features were not assessed."""
    facts = results.biomarkers
    if facts is None:
        return None
    sentences = list(_methods(results, facts, m))
    keys = dict.fromkeys(key for _, own in sentences for key in own)
    return Section(
        text=m("biomarkers.text", criterion=_name(facts["criterion"], m), gloss=_gloss(facts["criterion"], m)),
        answers=list(_answers(results, facts, m)),
        remarks=list(_remarks(results, facts, m)),
        over_time=list(_over_time(facts.get("visits"), m)),
        criterion=_name(facts["criterion"], m),
        pairs=_pairs(results, m),
        every=_every(results, m),
        paragraph=Markup(" ").join(sentence for sentence, _ in sentences),
        bibtex="\n\n".join(ENTRIES[key] for key in keys),
    )


def criterion_value(value: float | None) -> str:
    """Format a criterion."""
    return formatting.NOTHING if value is None else formatting.significant(value)


def _answers(results: StudyResults, facts: dict[str, Any], m: Messages) -> Iterator[Markup]:
    best, predictor = facts["best_biomarkers"], facts["best_predictor"]
    row = results.later("biomarkers").filter(arm=best["arm"], criterion=facts["criterion"]).row(0, named=True)
    fields = {
        "arm": arm(best["arm"]),
        "criterion": _name(facts["criterion"], m),
        "value": criterion_value(row["estimate"]),
        "low": criterion_value(row["low"]),
        "high": criterion_value(row["high"]),
        "level": level(facts),
        "replicates": m.counted("count.replicates", int(row["replicates"])),
    }
    if row["low"] is None:
        yield m("biomarkers.no_interval", **fields)
    elif len(arm_names(results)) == 1:
        yield m("biomarkers.one_arm", **fields)
    elif best["shown"]:
        yield m("biomarkers.best", **fields)
    else:
        yield m("biomarkers.undecided", **fields, candidates=_listed(best["candidates"], m))
    if len(arm_names(results)) == 1:
        return
    metric = metric_name(m, facts["metric"])
    if predictor["shown"]:
        yield m("biomarkers.predictor", arm=arm(predictor["arm"]), metric=metric)
    else:
        yield m("biomarkers.predictor_undecided", metric=metric, candidates=_listed(predictor["candidates"], m))
    unbeaten = facts["not_beaten_in_both"]
    if len(unbeaten) == len(arm_names(results)):
        yield m("biomarkers.pareto_all")
    else:
        yield m("biomarkers.pareto", arms=_listed(unbeaten, m))
    yield m("biomarkers.front", arms=_listed(facts["front"], m))


def _remarks(results: StudyResults, facts: dict[str, Any], m: Messages) -> Iterator[Markup]:
    runs = results.tables["runs"]
    if set(facts["runs"]) != set(runs.filter(runs["status"] != "diverged")["run"]):
        yield m("biomarkers.stale")
    yield from _beside(results, facts, m)
    if facts["runs_diverged"]:
        yield from _diverged(facts, m)
    if not facts["probes"]:
        yield m("biomarkers.no_probe")
    if not facts["nuisance"]:
        yield m("biomarkers.no_nuisance")
    if (results.facts.get("stopping") or {"rule": "fixed"})["rule"] != "fixed":
        yield m("biomarkers.stopped")
    if len(arm_names(results)) > 1:
        yield m("biomarkers.two_answers", level=level(facts))


def _over_time(visits: dict[str, Any] | None, m: Messages) -> Iterator[Markup]:
    if visits is None:
        return
    if not visits["subjects_high"]:
        yield m("biomarkers.visits.too_few")
        return
    low, high = (formatting.count(visits[name]) for name in ("subjects_low", "subjects_high"))
    one = m("biomarkers.visits.number", number=low)
    several = m("biomarkers.visits.range", low=low, high=high)
    yield m("biomarkers.visits.patients", number=one if low == high else several)
    for source, name in _COEFFICIENTS.items():
        if source in visits["coefficient_from"]:
            yield m(f"biomarkers.visits.{name}")
    yield m("biomarkers.visits.direction")
    if visits["score"] is None:
        yield m("biomarkers.visits.no_score")
    else:
        yield m("biomarkers.visits.score", score=visits["score"])


def _beside(results: StudyResults, facts: dict[str, Any], m: Messages) -> Iterator[Markup]:
    """Yield what is assessed beside the arms, and what of it is left out."""
    if facts.get("controls"):  # folders from before they were assessed do not say
        damaged = set(facts["controls"]) - {CONTROL_ARMS["same"]}
        said = m("biomarkers.controls", names=_listed(facts["controls"], m))
        yield Markup("{} {}").format(said, m("biomarkers.damaged_controls")) if damaged else said
    if facts.get("baseline") == "no_scikit_image":
        yield m("biomarkers.no_scikit_image")
    baseline = results.later("biomarkers").filter(arm=BASELINE, criterion=facts["criterion"])
    if baseline.is_empty() and facts["baseline_features"] and CRITERIA[facts["criterion"]].one_unit:
        yield m("biomarkers.baseline_without", criterion=_name(facts["criterion"], m))
    if baseline.is_empty() or not facts["baseline_features"]:
        return
    row = baseline.row(0, named=True)
    interval = "" if row["low"] is None else "_with_interval"
    yield m(
        f"biomarkers.baseline{interval}",
        number=formatting.count(facts["baseline_features"]),
        kind=m(f"biomarkers.baseline_kind.{facts.get('baseline', 'first_order_and_texture')}"),
        criterion=_name(facts["criterion"], m),
        value=criterion_value(row["estimate"]),
        low=criterion_value(row["low"]),
        high=criterion_value(row["high"]),
        level=level(facts),
    )


def _diverged(facts: dict[str, Any], m: Messages) -> Iterator[Markup]:
    """Yield how many runs of each arm have no features, and what would be said if they counted as the worst."""
    counts = [Markup("{} {}").format(arm(name), count) for name, count in facts.get("diverged_by_arm", {}).items()]
    said = Markup(m.counted("biomarkers.diverged", facts["runs_diverged"]))
    if counts:
        said = Markup("{} {}").format(said, m("biomarkers.diverged_by_arm", counts=Markup(", ").join(counts)))
    yield said
    worst = facts.get("if_diverged_were_worst")
    if worst is None:
        return
    value = criterion_value(worst["value"])
    if not worst["changes"]:
        yield m("biomarkers.worst_same", value=value)
    for row in worst["changes"]:
        yield m(
            "biomarkers.worst_other",
            value=value,
            arm_a=arm(row["arm_a"]),
            arm_b=arm(row["arm_b"]),
            verdict=verdict_word(m, row["verdict"]),
            instead_of=verdict_word(m, row["instead_of"]),
        )


def _pairs(results: StudyResults, m: Messages) -> Table | None:
    table = results.later("biomarker_comparisons")
    rows: list[list[Cell]] = [
        [
            arm(row["arm_a"]),
            verdict_word(m, row["verdict"]),
            arm(row["arm_b"]),
            _signed(row["difference"]),
            m("table.limits", low=_signed(row["low"]), high=_signed(row["high"]))
            if row["low"] is not None
            else formatting.NOTHING,
        ]
        for row in table.iter_rows(named=True)
        if row["primary"] and row["verdict"] is not None
    ]
    if not rows:
        return None
    head = [m("word.arm"), m("word.verdict"), m("table.against"), m("word.difference"), m("table.interval")]
    return Table(name="biomarker_comparisons", head=head, rows=rows, text_columns=3)


def _every(results: StudyResults, m: Messages) -> Table | None:
    """Return every criterion (row) of every arm (column), the best mean of the arms marked, and what is beside them."""
    found = {(row["criterion"], row["arm"]): row for row in results.later("biomarkers").iter_rows(named=True)}
    beside = [*(results.biomarkers or {}).get("controls", []), BASELINE]
    names = [*arm_names(results), *(one for one in beside if any(name == one for _, name in found))]
    criteria = [name for name in CRITERIA if any((name, one) in found for one in arm_names(results))]
    if not criteria:
        return None
    heads = [m("biomarkers.baseline_text") if name == BASELINE else arm(name) for name in names]
    rows = [_criterion_row(criterion, names, arm_names(results), found, m) for criterion in criteria]
    return Table(name="biomarkers", head=["", *heads], rows=rows)


def _criterion_row(
    criterion: str, names: list[str], arms: list[str], found: dict[tuple[str, str], Any], m: Messages
) -> list[Cell]:
    best_way = CRITERIA[criterion].best
    entries = {name: found.get((criterion, name)) for name in names}
    of_arms = [
        entry["estimate"] for name, entry in entries.items() if entry and name in arms and entry["estimate"] is not None
    ]
    best = None if best_way is None else (max if best_way == "high" else min)(of_arms, default=None)
    arrow = "" if best_way is None else m("table.higher" if best_way == "high" else "table.lower")
    title = Markup('{} <span class="arrow">{}</span><span class="gloss">{}</span>').format(
        capital(_name(criterion, m)), arrow, _gloss(criterion, m)
    )
    return [title, *(_cell(entry, best if name in arms else None, m) for name, entry in entries.items())]


def _cell(entry: dict[str, Any] | None, best: float | None, m: Messages) -> Cell:
    if entry is None or entry["estimate"] is None:
        return formatting.NOTHING
    shown = Markup("{}").format(criterion_value(entry["estimate"]))
    if entry["estimate"] == best:
        shown = Markup('<strong class="best" title="{}">{}</strong>').format(m("table.best"), shown)
    if entry["low"] is None:
        return shown
    limits = m("table.limits", low=criterion_value(entry["low"]), high=criterion_value(entry["high"]))
    return shown + Markup('<span class="gloss">{}</span>').format(limits)


def _methods(results: StudyResults, facts: dict[str, Any], m: Messages) -> Iterator[tuple[Markup, tuple[str, ...]]]:
    low, high = (formatting.count(facts[name]) for name in ("images_low", "images_high"))
    yield m("biomarkers.methods.features", layer=facts["layer"], low=low, high=high), ()
    yield m("biomarkers.methods.repeat", **_VIEWS), ("raunig2015",)
    yield m("biomarkers.methods.icc"), ("shrout1979", "mcgraw1996", "zwanenburg2020")
    measured = set(results.later("biomarkers")["criterion"])
    if "separation" in measured:
        yield m("biomarkers.methods.separation"), ("kornblith2021",)
    if "reproducibility" in measured:
        yield m("biomarkers.methods.cka"), ("kornblith2019",)
    if facts["probes"]:
        yield m("biomarkers.methods.transfer", probes=", ".join(facts["probes"])), ()
    if facts["nuisance"]:
        yield m("biomarkers.methods.nuisance", columns=", ".join(facts["nuisance"])), ()
    yield from _change_methods(facts.get("visits"), m)
    if len(arm_names(results)) > 1:
        yield m("biomarkers.methods.rule", criterion=_name(facts["criterion"], m), level=level(facts)), ()


def _change_methods(visits: dict[str, Any] | None, m: Messages) -> Iterator[tuple[Markup, tuple[str, ...]]]:
    if visits is None or not visits["subjects_high"]:
        return
    sources = [_COEFFICIENTS[source] for source in visits["coefficient_from"]]
    words = " or ".join(m.text(f"biomarkers.methods.change_{name}") for name in sources)
    yield m("biomarkers.methods.change", source=words), ("bland1999", "raunig2015")
    if visits["score"] is not None:
        yield m("biomarkers.methods.change_score", score=visits["score"]), ("bonett2000",)


def _listed(names: list[str], m: Messages) -> Markup:
    return Markup(", ").join(map(arm, names)) if names else m("biomarkers.nothing")


def _signed(value: float | None) -> str:
    return formatting.difference("criterion", value)


def _name(criterion: str, m: Messages) -> str:
    return m.text(f"criterion.{criterion}.name")


def _gloss(criterion: str, m: Messages) -> str:
    return m.text(f"criterion.{criterion}.gloss")
