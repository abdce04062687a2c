"""What `[tuning]` refuses, and with which words; ranges."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay.config import Study, parse_study, study_as_toml
from lossassay.config.tuning_space import Range, asked_ranges, parameters_of, parse_range
from lossassay.errors import StudyFileError


def study(*, arms: list[dict[str, Any]] | None = None, **sections: Any) -> Study:
    raw = {"name": "s", "data": {"path": "digits"}, "arms": arms or [{"loss": "focal"}, {"loss": "mean_squared_error"}]}
    return parse_study(raw | sections)


@pytest.mark.parametrize(
    ("tuning", "message"),
    [
        ({"trials": 0}, "tuning.trials: input should be greater than or equal to 1, got 0"),
        ({"trials": 1}, "tuning.trials: the first trial has the study's own settings, so 1 chooses nothing"),
        (
            {"share": 0.4},
            'tuning.share: a share .* with scope = "once" alone; .* Leave share out, or write scope = "once"',
        ),
        ({"trails": 3}, "tuning.trails: no such key; known: trials, .* Did you mean 'trials'?"),
        ({"space": {}}, "tuning.space: names no parameter"),
        ({"space": {"learning_rate": [0.1, 0.001]}}, "the low end 0.1 is not below the high end 0.001"),
        ({"space": {"learning_rate": [0.1, 0.1]}}, "the low end 0.1 is not below the high end 0.1"),
        ({"space": {"weight_decay": [0, 0.1, "log"]}}, 'a "log" range cannot start at 0'),
        ({"space": {"learning_rate": [0, 0.1]}}, "tuning.space.learning_rate: got 0.0, expected a number"),
        ({"space": {"learning_rate": [0.1, 1, "logg"]}}, "got 'logg' as the third entry"),
        ({"space": {"learning_rate": 0.1}}, r"got 0.1, expected \"auto\", \[low, high\]"),
        ({"space": {"gamma": "auto"}}, '"auto" is known for learning_rate alone'),
        ({"space": {"gamma": [0.5, 2, "int"]}}, 'an "int" range needs whole numbers, got 0.5 and 2'),
        ({"space": {"gamma": [-1, 2]}}, r"tuning.space.gamma: got -1.0, expected .* \(arm '.*focal.*'\)"),
        ({"space": {"gamm": [0, 1]}}, "no parameter is called 'gamm'; known for these arms: .* Did you mean 'gamma'?"),
        ({"space": {"margin": [0, 0.2]}}, "no arm of this study has this parameter; it belongs to "),
        ({"space": {"batch_size": [8, 64, "int"]}}, "cannot be tuned: it cannot differ between arms"),
        ({"space": {"epochs": [8, 64, "int"]}}, "cannot be tuned: every trial has the epochs of the study"),
        ({"space": {"momentum": [0.5, 0.9]}}, 'belongs to the optimizer "sgd", which no arm trains with'),
        ({"space": {"schedule": ["constant", "cosine"]}}, r"got \['constant', 'cosine'\], expected"),
        ({"space": {"schedule": {"choices": ["constant", "cosin"]}}}, "got 'cosin', expected one of constant, cosine"),
        ({"space": {"schedule": {"choices": ["cosine"]}}}, "expected a list of two or more values"),
        ({"space": {"schedule": {"choices": ["cosine", "cosine"]}}}, "a choice is named twice"),
        ({"space": {"optimizer": [1, 2]}}, r"takes names; write { choices = \['adam', 'adamw', 'sgd'\] }"),
        ({"sampler": "tpe"}, '"tpe" learns from trials that are finished, and pruning = "halving" stops most'),
        ({"sampler": "tpee"}, "tuning.sampler: .* Did you mean 'tpe'?"),
        ({"arms": {"focall": {"gamma": [0, 1]}}}, "tuning.arms: no arm is called 'focall'; .* Did you mean 'focal'?"),
        (
            {"arms": {"focal": {}}},
            'tuning.arms."focal": names no parameter; name at least one, or leave this table out',
        ),
        ({"arms": {"focal": {"gamm": [0, 1]}}}, "\"focal\".gamm: no parameter .* for this arm: .* mean 'gamma'?"),
        ({"arms": {"mean_squared_error": {"gamma": [0, 1]}}}, "this arm does not have this parameter; it belongs to "),
        ({"arms": {"focal": {"gamma": [-1, 1]}}}, "tuning.arms.\"focal\".gamma: got -1.0, expected .*arm 'focal'"),
        (
            {"arms": {"focal": {"gamma": [2, 1]}}},
            'tuning.arms."focal".gamma: the low end 2 is not below the high end 1',
        ),
        ({"arms": {"focal": {"gamma": "auto"}}}, 'tuning.arms."focal".gamma: "auto" is known for learning_rate alone'),
        ({"arms": {"focal": {"epochs": [1, 9, "int"]}}}, '"focal".epochs: cannot be tuned: every trial has the epochs'),
        (
            {"arms": {"focal": {"momentum": [0.5, 0.9]}}},
            'belongs to the optimizer "sgd", which this arm does not train',
        ),
        ({"arms": {"focal": [0, 1]}}, "tuning.arms.focal: input should be a valid dictionary"),
        ({"space": {}, "arms": {}}, "tuning.space: names no parameter"),
        ({"metric": "acuracy"}, "tuning.metric: No yardstick is called 'acuracy'.* Did you mean 'accuracy'?"),
    ],
)
def test_bad_input_is_named_with_its_place_and_what_to_do(tuning: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyFileError, match=message):
        study(arms=[{"loss": "focal", "name": "focal"}, {"loss": "mean_squared_error"}], tuning=tuning)


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(StudyFileError, match="study has 2 problems") as found:
        study(tuning={"space": {"gamm": [0, 1], "learning_rate": [1, 0.1]}})
    assert len(found.value.problems) == 2


def test_a_key_that_cannot_be_read_hides_no_other_problem_of_the_section() -> None:
    with pytest.raises(StudyFileError) as found:
        study(tuning={"trials": 0, "trails": 3, "metric": "acuracy", "space": {"gamm": [0, 1]}})
    assert [problem.split(":")[0] for problem in found.value.problems] == [
        "tuning.trials",
        "tuning.trails",
        "tuning.space.gamm",
        "tuning.metric",
    ]


def test_a_key_that_cannot_be_read_makes_no_problem_of_its_own() -> None:
    """Its default, halving, would not go with this sampler."""
    with pytest.raises(StudyFileError) as found:
        study(tuning={"pruning": "median", "sampler": "tpe", "space": {"learning_rate": "auto"}})
    assert len(found.value.problems) == 1
    with pytest.raises(StudyFileError) as found:
        study(tuning={"trials": 0}, training={"epochs": 0})
    assert len(found.value.problems) == 2


@pytest.mark.parametrize("split", [{"kind": "cross_validation"}, "official", {"kind": "time"}])
def test_tuning_once_needs_test_parts_that_are_drawn(split: Any) -> None:
    data = {"path": "digits", "split": split, "time": "t" if split == {"kind": "time"} else None}
    with pytest.raises(StudyFileError, match=r'tuning\.scope: "once" takes the patients'):
        study(data=data, tuning={"scope": "once"})


def test_an_arm_cannot_be_called_like_an_untuned_one() -> None:
    with pytest.raises(StudyFileError, match="begins like the name of an untuned arm"):
        study(arms=[{"loss": "focal", "name": "untuned: focal"}], tuning={})


def test_momentum_is_tuned_where_sgd_can_be() -> None:
    sgd = study(training={"optimizer": "sgd"}, tuning={"space": {"momentum": [0.5, 0.9]}})
    assert "momentum" in parameters_of(sgd, sgd.arms[0])
    space = {"momentum": [0.5, 0.9], "optimizer": {"choices": ["adam", "sgd"]}}
    assert study(tuning={"space": space}).tuning is not None


def test_each_arm_has_its_own_parameters() -> None:
    own = study(tuning={"space": {"gamma": [0, 5.0], "learning_rate": "auto"}})
    assert "gamma" in parameters_of(own, own.arms[0])
    assert "gamma" not in parameters_of(own, own.arms[1])


def test_a_study_with_every_form_of_range_is_written_and_read_back(tmp_path: Any) -> None:
    space = {
        "learning_rate": "auto",
        "weight_decay": [1e-6, 1e-2, "log"],
        "gamma": [0, 5],
        "schedule": {"choices": ["constant", "cosine"]},
    }
    from lossassay.config import load_study

    first = study(tuning={"space": space})
    (tmp_path / "study.toml").write_text(study_as_toml(first))
    assert load_study(tmp_path / "study.toml").tuning == first.tuning


NAMED = [{"loss": "focal", "name": "focal: a.b"}, {"loss": "mean_squared_error"}]


def test_ranges_keep_their_order_when_written_since_it_names_jobs(tmp_path: Any) -> None:
    from lossassay.config import load_study

    space = {"schedule": {"choices": ["constant", "cosine"]}, "gamma": [0, 5], "learning_rate": "auto"}
    (tmp_path / "study.toml").write_text(study_as_toml(study(tuning={"space": space, "arms": {}})))
    found = load_study(tmp_path / "study.toml").tuning
    assert found is not None
    assert list(found.space.items()) == list(space.items())


def test_an_arm_has_its_own_ranges_in_the_place_of_those_of_all_and_beside_them() -> None:
    own = {"focal: a.b": {"gamma": [0.5, 2], "learning_rate": "auto"}, "mean_squared_error": {"weight_decay": [0, 1]}}
    found = study(arms=NAMED, tuning={"space": {"learning_rate": [0.01, 0.1]}, "arms": own})
    assert asked_ranges(found, found.arms[0]) == {"learning_rate": "auto", "gamma": [0.5, 2]}
    assert asked_ranges(found, found.arms[1]) == {"learning_rate": [0.01, 0.1], "weight_decay": [0, 1]}
    assert found.tuning is not None
    assert found.tuning.parameters == ("learning_rate", "gamma", "weight_decay")


def test_a_range_of_all_is_not_checked_against_an_arm_with_its_own() -> None:
    wrong = {"gamma": [-1, 2]}
    with pytest.raises(StudyFileError, match=r"tuning.space.gamma: got -1.0"):
        study(arms=NAMED, tuning={"space": wrong})
    assert study(arms=NAMED, tuning={"space": wrong, "arms": {"focal: a.b": {"gamma": [1, 2]}}}).tuning is not None


def test_one_arm_alone_may_be_tuned_and_may_try_sgd() -> None:
    own = {"momentum": [0.5, 0.9], "optimizer": {"choices": ["adam", "sgd"]}}
    found = study(arms=NAMED, tuning={"space": {}, "arms": {"focal: a.b": own}})
    assert set(asked_ranges(found, found.arms[0])) == {"momentum", "optimizer"}
    assert asked_ranges(found, found.arms[1]) == {}
    assert "momentum" not in parameters_of(found, found.arms[1])


def test_ranges_of_arms_are_written_and_read_back(tmp_path: Any) -> None:
    from lossassay.config import load_study

    own = {"mean_squared_error": {"schedule": {"choices": ["constant", "cosine"]}}, "focal: a.b": {"gamma": [0.5, 2]}}
    first = study(arms=NAMED, tuning={"arms": own})
    (tmp_path / "study.toml").write_text(study_as_toml(first))
    again = load_study(tmp_path / "study.toml").tuning
    assert again == first.tuning
    assert again is not None
    assert first.tuning is not None
    assert again.parameters == first.tuning.parameters


@given(
    st.floats(1e-6, 1e3), st.floats(1.001, 1e6), st.floats(0, 1, exclude_max=True), st.sampled_from(["linear", "log"])
)
def test_values_stay_in_their_range(low: float, factor: float, place: float, kind: Any) -> None:
    own = Range(kind=kind, low=low, high=low * factor)
    assert own.holds(own.value_at(place))
    assert Range.of_data(own.as_data()) == own


def test_whole_numbers_and_choices_are_evenly_spread() -> None:
    numbers = parse_range([1, 4, "int"])
    choices = parse_range({"choices": ["a", "b"]})
    assert isinstance(numbers, Range)
    assert isinstance(choices, Range)
    places = [(i + 0.5) / 8 for i in range(8)]
    assert [numbers.value_at(place) for place in places] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [choices.value_at(place) for place in places] == ["a"] * 4 + ["b"] * 4
    assert not numbers.holds(2.5)
    assert not choices.holds("c")


def test_the_middle_of_a_log_range_is_the_geometric_mean() -> None:
    found = parse_range([1e-4, 1e-2, "log"])
    assert isinstance(found, Range)
    assert found.value_at(0.5) == 1e-3
