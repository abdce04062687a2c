"""How often analyses err about new patients: whole studies of closed-form ridge arms, with the data set drawn anew.

    python -m benchmarks.evidence_population --studies 1000

Patients have one or more images. Each arm sees features that all arms see and some of its own; all are drawn the same
way, so no arm is better for new data sets and new patients, but given a data set the arms do differ. A replicate drops
features at random (its "initial weights") and, unless the split is official, draws the split anew. An arm is a ridge
regression with balanced classes; its balanced accuracy for new patients, with what it was trained on, is known in
closed form.

True is, where the split is redrawn, no difference; with an official split, the difference for new patients with this
training part.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import ndtr

from lossassay import stats
from lossassay.metrics import TestedRows, influence, weighted_yardstick
from lossassay.stats.crossed_bootstrap import _patient_weights

Array = np.ndarray[Any, np.dtype[Any]]
METRIC = "balanced_accuracy"
ALPHA = 0.05
ENDLESS = 200  # replicates whose mean stands for endless ones


@dataclass(frozen=True, kw_only=True)
class Design:
    """A kind of study.

    Args:
        patients: In the data set.
        arms: All equally good for new patients, but for ``advantage``.
        replicates: Of each arm.
        official: One split for all replicates; else each draws its own.
        test_share: Of the patients.
        positives: Share of the patients.
        most_images: A patient has 1 to so many.
        of_patient: Share of a feature's variance that all images of a patient have in common.
        common: Features that all arms see.
        own: Features that one arm sees.
        separation: Distance of the classes in each feature, in standard deviations.
        dropped: Chance that a replicate of an arm does without a feature.
        advantage: Added to the separation of the first arm's own features.
        penalty: Of the ridge.
    """

    patients: int = 200
    arms: int = 2
    replicates: int = 20
    official: bool = False
    test_share: float = 0.2
    positives: float = 0.4
    most_images: int = 3
    of_patient: float = 0.5
    common: int = 8
    own: int = 4
    separation: float = 0.45
    dropped: float = 0.2
    advantage: float = 0.0
    penalty: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Study:
    """What an analysis may see, and what it may not.

    Args:
        design: Its kind.
        scores: Balanced accuracy of each replicate and arm on its test part [R A].
        tested: Test rows of each replicate with the probabilities of each arm.
        for_new_patients: Balanced accuracy of each arm for new patients [A], with what it was trained on.
        seed: For analyses that draw.
    """

    design: Design
    scores: Array
    tested: list[TestedRows]
    for_new_patients: Array
    seed: int

    def influences(self) -> list[tuple[Array, Array]]:
        """Patients, and influence values of all arms [n A], replicate by replicate."""
        return [
            (
                rows.patients,
                np.stack([influence(METRIC, rows.labels, p, task="single_label") for p in rows.probabilities], axis=1),
            )
            for rows in self.tested
        ]

    def truth(self, a: int, b: int) -> float:
        """What the difference of two arms is an estimate of: with an official split, for this training part."""
        if self.design.official:
            return float(self.for_new_patients[a] - self.for_new_patients[b])
        if self.design.advantage:
            raise ValueError("With a redrawn split and an advantage, take true_difference(design).")
        return 0.0


def draw_study(design: Design, random: np.random.Generator) -> Study:
    """Draw a data set, split it, fit all arms of all replicates."""
    patient_of, label_of, features = _draw_images(design, random)
    tests = _draw_tests(design, patient_of, label_of, random)
    signs = 2.0 * label_of - 1
    weighted = features / np.where(label_of == 1, design.positives, 1 - design.positives)[:, None]
    whole = features.T @ weighted, weighted.T @ signs
    grams = np.array([whole[0] - features[rows].T @ weighted[rows] for rows in tests])  # of the training parts
    moments = np.array([whole[1] - weighted[rows].T @ signs[rows] for rows in tests])
    weights = _fit(design, grams, moments, random)
    tested, scores = [], []
    for rows, fitted in zip(tests, weights, strict=True):
        outputs = np.einsum("nad,ad->na", features[rows][:, _columns(design)], fitted)
        positive = 1 / (1 + np.exp(-outputs.T))
        probabilities = [np.stack([1 - p, p], axis=1) for p in positive]
        tested.append(TestedRows(patients=patient_of[rows], labels=label_of[rows], probabilities=probabilities))
        said = np.array([p.argmax(axis=1) for p in probabilities])
        scores.append(np.mean([(said == k)[:, label_of[rows] == k].mean(axis=1) for k in (0, 1)], axis=0))
    if design.official:  # the value for new patients is that over endless replicates of this training part
        weights = _fit(design, np.repeat(grams[:1], ENDLESS, 0), np.repeat(moments[:1], ENDLESS, 0), random)
    return Study(
        design=design,
        scores=np.array(scores),
        tested=tested,
        for_new_patients=_for_new_patients(design, weights).mean(axis=0),
        seed=int(random.integers(2**31)),
    )


def true_difference(design: Design, *, studies: int = 2_000, seed: int = 0) -> float:
    """First less second arm for new patients, mean over data sets; for studies with an advantage."""
    random = np.random.default_rng(seed)
    values = [draw_study(replace(design, replicates=2), random).for_new_patients for _ in range(studies)]
    return float(np.mean([value[0] - value[1] for value in values]))


def _separation(design: Design) -> Array:
    separation = np.full(design.common + design.arms * design.own, design.separation / 2)
    separation[design.common : design.common + design.own] += design.advantage / 2
    return separation


def _columns(design: Design) -> Array:
    """Features of each arm [A d]; the last is the constant."""
    common, last = np.arange(design.common), [design.common + design.arms * design.own]
    own = design.common + np.arange(design.arms * design.own).reshape(design.arms, -1)
    return np.array([np.concatenate([common, each, last]) for each in own])


def _draw_images(design: Design, random: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return patient, label and features of each image."""
    label_of_patient = (np.arange(design.patients) < round(design.positives * design.patients)).astype(int)
    patient_of = np.repeat(np.arange(design.patients), random.integers(1, design.most_images + 1, design.patients))
    label_of = label_of_patient[patient_of]
    means = _separation(design)
    features = np.ones((len(patient_of), len(means) + 1))
    features[:, :-1] = np.outer(2.0 * label_of - 1, means)
    features[:, :-1] += (design.of_patient**0.5 * random.normal(size=(design.patients, len(means))))[patient_of]
    features[:, :-1] += (1 - design.of_patient) ** 0.5 * random.normal(size=(len(patient_of), len(means)))
    return patient_of, label_of, features


def _draw_tests(design: Design, patient_of: Array, label_of: Array, random: np.random.Generator) -> list[Array]:
    """Return the rows of each replicate's test part: whole patients, the same share of each class."""
    classes = [np.unique(patient_of[label_of == k]) for k in (0, 1)]
    tests: list[Array] = []
    for _ in range(1 if design.official else design.replicates):
        chosen = [random.permutation(names)[: max(2, round(design.test_share * len(names)))] for names in classes]
        tests.append(np.flatnonzero(np.isin(patient_of, np.concatenate(chosen))))
    return tests * (design.replicates if design.official else 1)


def _fit(design: Design, grams: Array, moments: Array, random: np.random.Generator) -> Array:
    """Return the ridge weights of each replicate and arm [R A d], with features dropped at random."""
    columns = _columns(design)
    kept = (random.random((len(grams), *columns.shape)) >= design.dropped).astype(float)
    kept[..., -1] = 1
    matrices = grams[:, columns[:, :, None], columns[:, None, :]] * kept[..., :, None] * kept[..., None, :]
    matrices += design.penalty * np.eye(columns.shape[1])
    return kept * np.linalg.solve(matrices, (kept * moments[:, columns])[..., None])[..., 0]


def _for_new_patients(design: Design, weights: Array) -> Array:
    """Return balanced accuracies [R A]: the output for an image of either class is normal with known mean and sd."""
    means = np.append(_separation(design), 0)[_columns(design)]
    middle, reach = weights[..., -1], (weights * means).sum(axis=-1)
    sd = np.maximum(np.sqrt((weights[..., :-1] ** 2).sum(axis=-1)), 1e-300)
    return (ndtr((reach + middle) / sd) + ndtr((reach - middle) / sd)) / 2


# --- analyses: limits of every pair of arms, simultaneous over the family ---------------------------------------------

Limits = list[tuple[float, float]]


def population(study: Study, pairs: list[tuple[int, int]]) -> Limits:
    influences, found = study.influences(), []
    for a, b in pairs:
        of_pair = [(patients, values[:, a] - values[:, b]) for patients, values in influences]
        differences = study.scores[:, a] - study.scores[:, b]
        found.append(stats.population_difference(differences, of_pair, alpha=ALPHA, family_size=len(pairs)))
    return [(one.low, one.high) for one in found]


def nadeau_bengio(study: Study, pairs: list[tuple[int, int]]) -> Limits:
    ratio = study.design.test_share / (1 - study.design.test_share)
    found = [
        stats.nadeau_bengio(
            study.scores[:, a] - study.scores[:, b], test_share_ratio=ratio, alpha=ALPHA, family_size=len(pairs)
        )
        for a, b in pairs
    ]
    return [(one.low, one.high) for one in found]


def plain_t(study: Study, pairs: list[tuple[int, int]]) -> Limits:
    found = stats.paired_differences(study.scores, pairs, alpha=ALPHA, family_size=len(pairs))
    return [(one.low, one.high) for one in found]


def crossed(study: Study, pairs: list[tuple[int, int]], *, draws: int = 2_000) -> Limits:
    score = weighted_yardstick(METRIC, study.tested, task="single_label")
    found = stats.crossed_bootstrap(
        score.of_replicates,
        pairs,
        num_patients=score.num_patients,
        alpha=ALPHA,
        family_size=len(pairs),
        draws=draws,
        seed=study.seed,
        threads=1,
    ).differences
    return [(one.low, one.high) for one in found]


def nested(study: Study, pairs: list[tuple[int, int]], *, draws: int = 2_000) -> Limits:
    """Replicates drawn anew, and within each drawn replicate its patients, on their own."""
    random = np.random.default_rng(study.seed)
    replicates = len(study.tested)
    banks = []
    for rows in study.tested:
        score = weighted_yardstick(METRIC, [rows], task="single_label")
        seed, size = int(random.integers(2**31)), 500
        blocks = [_patient_weights(score.num_patients, size, seed, block) for block in range(draws // size)]
        weights = np.concatenate(blocks, axis=1)
        banks.append(score(weights)[0].T)
    bank = np.stack(banks)  # [R draws A]
    chosen = random.integers(0, replicates, size=(draws, replicates))
    means = np.nanmean(bank[chosen, random.integers(0, draws, size=(draws, replicates))], axis=1)
    tail = ALPHA / 2 / len(pairs)
    return [tuple(np.quantile(means[:, a] - means[:, b], [tail, 1 - tail])) for a, b in pairs]


ANALYSES: dict[str, Callable[[Study, list[tuple[int, int]]], Limits]] = {
    "population interval": population,
    "crossed bootstrap": crossed,
    "Nadeau-Bengio": nadeau_bengio,
    "nested bootstrap": nested,
    "t over replicates": plain_t,
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """How one analysis did.

    Args:
        cell: Name of the design.
        analysis: Its name.
        studies: Simulated.
        called_different: Share of studies where some interval leaves out 0.
        missed: Share of studies where some interval leaves out the true difference.
        covered: Share of the intervals that hold the true difference.
        mean_width: Of the intervals.
    """

    cell: str
    analysis: str
    studies: int
    called_different: float
    missed: float
    covered: float
    mean_width: float


def simulate(
    cell: str, design: Design, *, studies: int, seed: int = 0, analyses: tuple[str, ...] = tuple(ANALYSES)
) -> list[Row]:
    """Draw studies without a difference and return one row for each analysis that the design allows."""
    if design.official:
        analyses = tuple(name for name in analyses if name != "Nadeau-Bengio")
    pairs = list(combinations(range(design.arms), 2))
    limits = np.empty((studies, len(analyses), len(pairs), 2))
    truth = np.empty((studies, 1, len(pairs)))
    for number in range(studies):
        study = draw_study(design, np.random.default_rng([seed, number]))
        truth[number, 0] = [study.truth(a, b) for a, b in pairs]
        limits[number] = [ANALYSES[name](study, pairs) for name in analyses]
    different = (limits[..., 0] > 0) | (limits[..., 1] < 0)
    covered = (limits[..., 0] <= truth) & (truth <= limits[..., 1])
    width = limits[..., 1] - limits[..., 0]
    return [
        Row(
            cell=cell,
            analysis=name,
            studies=studies,
            called_different=float(different[:, k].any(axis=1).mean()),
            missed=float((~covered[:, k]).any(axis=1).mean()),
            covered=float(covered[:, k].mean()),
            mean_width=float(width[:, k].mean()),
        )
        for k, name in enumerate(analyses)
    ]


CELLS = {
    "split redrawn, 2 arms": Design(),
    "split redrawn, 6 arms": Design(arms=6),
    "split redrawn, 5 replicates": Design(replicates=5),
    "split redrawn, noisy training": Design(dropped=0.5),
    "split redrawn, rare positives": Design(patients=400, positives=0.1),
    "split redrawn, 100 patients": Design(patients=100),
    "official split, 2 arms": Design(official=True, patients=300),
    "official split, 6 arms": Design(official=True, patients=300, arms=6),
    "official split, 5 replicates": Design(official=True, patients=300, replicates=5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1_000)
    parser.add_argument("--cells", nargs="*", default=list(CELLS), choices=list(CELLS))
    parser.add_argument("--analyses", nargs="*", default=list(ANALYSES), choices=list(ANALYSES))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("| cell | analysis | studies | called different | missed the truth | covered | mean width |")
    print("| - | - | - | - | - | - | - |")
    for cell in options.cells:
        analyses = tuple(options.analyses)
        for row in simulate(cell, CELLS[cell], studies=options.studies, seed=options.seed, analyses=analyses):
            shares = " | ".join(f"{100 * share:.1f} %" for share in (row.called_different, row.missed, row.covered))
            print(f"| {row.cell} | {row.analysis} | {row.studies} | {shares} | {row.mean_width:.4f} |", flush=True)


if __name__ == "__main__":
    main()
