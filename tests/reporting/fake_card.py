"""A model card made up for tests: nothing was trained."""

from typing import Literal

from lossassay.biomarkers.decisions.operating_points import OperatingPoint
from lossassay.biomarkers.model_card import CardFacts, CardTuning, Yardstick
from lossassay.stats.proportions import clopper_pearson


def fake_tuned(settings_from: Literal["nested", "once", "replicate", "again"], *, trial: int) -> CardTuning:
    """Settings that 20 trials chose."""
    return CardTuning(
        settings_from=settings_from,
        trials=20,
        epochs=160,
        metric="accuracy",
        trial=trial,
        parameters={"learning_rate": 0.002, "gamma": 1.5},
    )


def fake_card() -> CardFacts:
    """A run of two classes with one yardstick and one operating point."""
    data = {
        "rows": 100,
        "class_names": ["ill", "well"],
        "class_counts": [40, 60],
        "task": "single_label",
        "image_shape": [64, 64, 1],
        "groups": None,
        "sources": {},
        "digest": "0" * 32,
    }
    return CardFacts(
        study="made up",
        run="1" * 20,
        arm="focal gamma=2",
        replicate=0,
        is_fit=False,
        expected_from=None,
        plan={
            "lossassay_version": "0.1.0",
            "data": data,
            "model": {"parameters": 1_234},
            "engine": {"device": "cpu", "precision": "fp32", "kernels": "plain"},
            "environment": {"python": "3.11.0", "packages": {"torch": "2.11.0"}},
        },
        parts=(70, 10, 20),
        arm_facts={"loss": "focal", "hyper_parameters": {"gamma": 2.0}, "training": {"epochs": 5, "weights": "a/b"}},
        run_facts={"calibration": None, "best_epoch": 4, "epochs": 5},
        preprocessing={"image_size": 64, "resize": "pad"},
        yardsticks=(Yardstick(metric="accuracy", of_run=0.8, estimate=0.82, low=0.8, high=0.84, replicates=10),),
        level=0.95,
        points=(
            OperatingPoint(
                class_name="ill",
                rule="youden",
                threshold=0.4,
                validation_sensitivity=0.9,
                validation_specificity=0.8,
                sensitivity=clopper_pearson(7, 8),
                specificity=clopper_pearson(10, 12),
            ),
        ),
        findings=(("no-groups", "note", "Nothing says which images belong to the same patient."),),
        weights_digest="2" * 32,
    )
