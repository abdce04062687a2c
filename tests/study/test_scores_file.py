"""Files of scores: every form that is read, and every problem that is found."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.errors import DataError
from lossassay.study.scores.file import known_metric, read_scores
from tests.study.scores import GOOD, HEADER, write


def problems(path: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        read_scores(path, **options)  # type: ignore[arg-type]
    return str(caught.value)


def values(path: Path, **options: object) -> list[float]:
    return read_scores(path, **options).rows["value"].to_list()  # type: ignore[arg-type]


def test_a_plain_file(tmp_path: Path) -> None:
    read = read_scores(write(tmp_path, GOOD))
    assert (read.metric, read.higher_is_better, read.notes) == ("accuracy", True, ())
    assert read.rows["value"].to_list() == [0.9, 0.8, 0.91, 0.82]
    assert read.rows["line"].to_list() == [2, 3, 4, 5]
    assert read.rows["dataset"].unique().to_list() == ["cxr"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("scores.csv", lambda text: text.replace(",", ";").encode("utf-8-sig")),
        ("scores.tsv", lambda text: text.replace(",", "\t").encode()),
        ("scores.csv", lambda text: text.replace(",", "\t").encode()),
        ("scores.txt", lambda text: text.replace("\n", "\r\n").encode("utf-8-sig")),
        ("scores.csv", lambda text: text.replace("\n", "\r").encode()),
        ("scores.csv", lambda text: ("\n\n" + text.replace("\n", "\n\n") + "\n \n").encode()),
        ("scores", lambda text: text.replace("cxr", " cxr ").encode()),
        ("scores.csv", lambda text: text.replace("system", " System ").replace("dataset", "Data set").encode()),
        ("scores.csv", lambda text: text.replace("cxr", '"cxr"').encode()),
        ("scores.csv", lambda text: text.replace("\n", ",,\n").encode()),
        ("scores.csv", lambda text: text.replace("\n", ",,\n").replace("value,,", "value").encode()),
        ("scores.csv", lambda text: ("sep=;\n" + text).replace(",", ";").encode()),
    ],
)
def test_every_way_to_write_the_same_table(tmp_path: Path, name: str, change: object) -> None:
    path = tmp_path / name
    path.write_bytes(change(GOOD))  # type: ignore[operator]
    plain = read_scores(write(tmp_path, GOOD, "plain.csv")).rows.drop("line")
    assert read_scores(path).rows.drop("line").equals(plain)


def test_parquet_keeps_the_bits_of_its_numbers(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).random(8)
    frame = pl.DataFrame(
        {
            "system": ["a"] * 4 + ["b"] * 4,
            "replicate": [1.0, 2.0, 3.0, 4.0] * 2,
            "metric": pl.Series(["AUROC"] * 8, dtype=pl.Categorical),
            "value": numbers,
        }
    )
    frame.write_parquet(tmp_path / "scores.parquet")
    read = read_scores(tmp_path / "scores.parquet")
    assert read.rows["value"].to_list() == numbers.tolist()
    assert read.rows["replicate"].to_list() == ["1", "2", "3", "4"] * 2
    assert read.rows["dataset"].is_null().all()


def test_a_file_without_data_set_has_one(tmp_path: Path) -> None:
    read = read_scores(write(tmp_path, GOOD.replace("dataset,", "").replace("cxr,", "")))
    assert read.rows["dataset"].to_list() == [None] * 4


def test_replicates_may_be_any_text_and_whole_numbers_may_have_a_point(tmp_path: Path) -> None:
    text = HEADER + "a,d,seed-1,acc,1\na,d,2.0,acc,1\nb,d,seed-1,acc,0\nb,d,2,acc,0\n"
    assert read_scores(write(tmp_path, text)).rows["replicate"].to_list() == ["seed-1", "2", "seed-1", "2"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("AUROC", "macro_auroc"),
        ("Macro AUROC", "macro_auroc"),
        ("roc-auc", "macro_auroc"),
        ("Balanced accuracy", "balanced_accuracy"),
        ("BALANCED-ACCURACY", "balanced_accuracy"),
        (" balanced_accuracy ", "balanced_accuracy"),
        ("NLL", "nll"),
        ("Negative log-likelihood", "nll"),
        ("Cohen's kappa", "cohen_kappa"),
        ("Calibration error (ECE)", "ece"),
        ("sensitivity", None),
        ("f1", None),  # of one class, or a mean? The user has to say
        ("", None),
        ("准确率", None),
    ],
)
def test_names_of_yardsticks_are_read_whatever_their_case_and_signs(written: str, meant: str | None) -> None:
    assert known_metric(written) == meant


def test_every_yardstick_is_known_by_name_and_title() -> None:
    for name, spec in YARDSTICKS.items():
        assert known_metric(name) == name
        assert known_metric(spec.title) == name


def test_all_problems_of_a_file_at_once(tmp_path: Path) -> None:
    lines = (
        "model,dataset,replicate,metric,value,epoch\n"
        "a,cxr,1,accuracy,0.9,3\n"
        "a,cxr,2,acuracy,95 %,3\n"
        "b,,1,accuracy,nan,3\n"
        "b,cxr,2,accuracy,1.5,3\n"
        "b,cxr,2,accuracy,-inf,3\n"
    )
    found = problems(write(tmp_path, lines))
    assert "scores.csv has 8 problems:" in found
    assert "column 'system' missing. The header has 'model', 'dataset', 'replicate', 'metric', 'value'" in found
    assert "column 'model' is not known. Did you mean 'system'? Rename it or leave it out." in found
    assert "column 'epoch' is not known. Rename it" in found
    assert "1 cell of 'dataset' is empty (line 4)" in found
    assert "1 value is not a number (NaN) (line 4; it is 'nan')" in found
    assert "1 value is no number (line 3; it is '95 %')" in found
    assert "1 value is infinite or too large (line 6; it is '-inf')" in found


def test_problems_of_rows_together(tmp_path: Path) -> None:
    rows = "a,d,1,acuracy,0.9\na,d,2,accuracy,95.2\nb,d,1,accuracy,101\nb,d,1,accuracy,0.5\n"
    found = problems(write(tmp_path, HEADER + rows))
    assert "has 4 problems" in found
    assert "the metric 'acuracy' (line 2) is not known" in found
    assert "Did you mean 'accuracy'?" in found
    assert all(name in found for name in YARDSTICKS)
    assert "2 values of accuracy lie outside its range (lines 3, 4; the first is 95.2). Expected 0 to 1." in found
    assert "Give shares, not percent." in found
    assert "1 score comes more than once" in found
    assert "system 'b', dataset 'd', replicate '1', metric 'accuracy' (lines 4, 5)" in found
    assert "one system" not in found  # that would follow from the misspelt metric alone


def test_a_column_that_is_there_twice_and_one_without_a_name(tmp_path: Path) -> None:
    found = problems(write(tmp_path, ",system,value,replicate,metric,Value\n0,a,1,1,acc,1\n"))
    assert "two columns are called 'value'" in found
    assert "a column has no name" in found
    assert "index=False" in found


@pytest.mark.parametrize(
    ("column", "meant"),
    [("seed", "replicate"), ("Score", "value"), ("sytem", "system"), ("metric_name", "metric"), ("Values", "value")],
)
def test_a_missing_column_gets_a_suggestion(tmp_path: Path, column: str, meant: str) -> None:
    found = problems(write(tmp_path, GOOD.replace(meant, column)))
    assert f"column {meant!r} missing" in found
    assert f"column {column!r} is not known. Did you mean {meant!r}?" in found


def test_another_separator_is_said(tmp_path: Path) -> None:
    found = problems(write(tmp_path, GOOD.replace(",", "|")))
    assert "its first line names no known column (it has 'system|dataset|replicate|metric|value')" in found


def test_a_header_that_is_not_there(tmp_path: Path) -> None:
    found = problems(write(tmp_path, GOOD.removeprefix(HEADER)))
    assert "1 problem" in found
    assert "(it has 'a', 'cxr', '1', 'accuracy', '0.9'). Expected a CSV, TSV or Parquet table" in found
    assert "Is the header missing?" in found


@pytest.mark.parametrize("value", ["1e999", "inf", "-Infinity", "1e101"])
def test_infinite_values(tmp_path: Path, value: str) -> None:
    assert "1 value is infinite or too large (line 2" in problems(write(tmp_path, GOOD.replace("0.9\n", f"{value}\n")))


@pytest.mark.parametrize("value", ["nan", "NaN", "NA", "n/a", "null", "None"])
def test_a_failed_run_is_not_dropped(tmp_path: Path, value: str) -> None:
    found = problems(write(tmp_path, GOOD.replace("0.9\n", f"{value}\n")))
    assert f"1 value is not a number (NaN) (line 2; it is {value!r})" in found
    assert "that would favour their system" in found
    assert "1 problem:" in found


def test_an_empty_value(tmp_path: Path) -> None:
    found = problems(write(tmp_path, GOOD.replace("0.9\n", "\n")))
    assert "1 cell of 'value' is empty (line 2). Expected a number in each." in found


@pytest.mark.parametrize("value", ["good", "0.9.1", "1_0", "0x1", "0.9±0.1", "٠٫٩", "True"])
def test_text_is_no_number(tmp_path: Path, value: str) -> None:
    assert f"it is {value!r}" in problems(write(tmp_path, GOOD.replace("0.9\n", f"{value}\n")))


def test_a_decimal_comma_is_refused_and_not_guessed(tmp_path: Path) -> None:
    german = GOOD.replace(",", ";").replace("0.", "0,")
    found = problems(write(tmp_path, german))
    assert "4 values are written with a decimal comma (lines 2, 3, 4, 5; the first is '0,9')" in found
    found = problems(write(tmp_path, GOOD.replace("0.", "0,")))
    assert "4 lines have another number of cells than the header, which has 5 (lines 2, 3, 4, 5)" in found
    assert "decimal comma" in found
    found = problems(write(tmp_path, GOOD.replace("0.9\n", '"0,9"\n')))
    assert "1 value is written with a decimal comma (line 2; it is '0,9')" in found


def test_a_line_with_a_cell_too_few(tmp_path: Path) -> None:
    found = problems(write(tmp_path, GOOD + "b,cxr,3,accuracy\n"))
    assert "1 line has another number of cells than the header, which has 5 (line 6)" in found


@pytest.mark.parametrize(
    ("metric", "value", "fits"),
    [
        ("brier", "2", True),
        ("brier", "2.01", False),
        ("mcc", "-1", True),
        ("mcc", "-1.01", False),
        ("nll", "12.5", True),
        ("nll", "-0.01", False),
        ("ece", "1.01", False),
        ("AUROC", "1.0000001", False),
    ],
)
def test_ranges_of_yardsticks(tmp_path: Path, metric: str, value: str, fits: bool) -> None:
    path = write(tmp_path, GOOD.replace("accuracy", metric).replace("0.9\n", f"{value}\n"))
    if fits:
        assert values(path)[0] == float(value)
    else:
        assert "outside its range (line 2" in problems(path)


def test_lines_are_counted_as_an_editor_does_with_blank_lines_and_line_breaks_in_cells(tmp_path: Path) -> None:
    text = HEADER + '\n"a\nlong",cxr,1,accuracy,0.9\nb,cxr,1,accuracy,x\n'
    found = problems(write(tmp_path, text))
    assert "(line 5; it is 'x')" in found
    assert "1 name in 'system' with signs that cannot be seen (line 4; the first is 'a\\nlong')" in found


@pytest.mark.parametrize("sign", ["\u200b", "\x1b[31m", "\ufeff", "\xa0"])
def test_names_with_signs_that_cannot_be_seen(tmp_path: Path, sign: str) -> None:
    found = problems(write(tmp_path, GOOD.replace("b,cxr", f"b{sign}b,cxr")))
    assert "2 names in 'system' with signs that cannot be seen (lines 3, 5; the first is 'b\\" in found


def test_rows_of_a_parquet_file_are_counted_from_one(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"system": ["a", "b"], "replicate": [1, 1], "metric": "accuracy", "value": [0.5, float("nan")]}
    )
    frame.write_parquet(tmp_path / "scores.pq")
    assert "(row 2; it is 'NaN')" in problems(tmp_path / "scores.pq")


def test_a_nested_column_of_a_parquet_file(tmp_path: Path) -> None:
    pl.DataFrame({"system": ["a"], "replicate": [1], "metric": "accuracy", "value": [[0.5]]}).write_parquet(
        tmp_path / "scores.parquet"
    )
    found = problems(tmp_path / "scores.parquet")
    assert "column 'value' holds List(Float64). Expected text or numbers." in found


def test_a_metric_of_ones_own_needs_a_direction(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("accuracy", "dice"))
    found = problems(path)
    assert "the metric 'dice' (lines 2, 3, 4, 5) is not known. Known: accuracy, balanced_accuracy" in found
    assert "say whether high or low is better (option `better`)" in found
    assert not read_scores(path, better="low").higher_is_better
    assert read_scores(path, metric="Dice", better="high").higher_is_better


def test_a_known_metric_keeps_its_direction(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("accuracy", "NLL"))
    assert not read_scores(path).higher_is_better
    assert not read_scores(path, better="low").higher_is_better
    assert "'high' was said to be better, but nll is better when it is low" in problems(path, better="high")


def test_the_first_of_several_metrics_is_judged_or_the_one_that_was_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + GOOD.removeprefix(HEADER).replace("accuracy", "Log loss"))
    read = read_scores(path)
    assert read.metric == "accuracy"
    assert "The file has 2 metrics; the first, accuracy, is judged. The others (nll)" in read.notes[0]
    assert "'Log loss' is read as nll" in read.notes[1]
    read = read_scores(path, metric="nll")
    assert (read.metric, read.higher_is_better) == ("nll", False)
    assert "nll is judged, as asked" in read.notes[0]


def test_a_metric_that_is_not_in_the_file(tmp_path: Path) -> None:
    found = problems(write(tmp_path, GOOD), metric="acuracy")
    assert "no row has the metric 'acuracy'. Its metrics: accuracy. Did you mean 'accuracy'?" in found
    assert "no row has the metric 'nll'. Its metrics: accuracy." in problems(write(tmp_path, GOOD), metric="nll")


def test_other_metrics_may_be_unknown_where_one_was_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "b,cxr,3,acuracy,0.8\na,cxr,3,seconds,70\n")
    assert "'acuracy'" in problems(path)
    assert "'seconds'" in problems(path)
    read = read_scores(path, metric="accuracy")
    assert any("'acuracy' is taken as a metric of its own. Did you mean 'accuracy'?" in note for note in read.notes)


def test_two_spellings_of_one_metric_are_one(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("2,accuracy", "2,Accuracy"))
    assert read_scores(path).rows["metric"].unique().to_list() == ["accuracy"]


def test_one_system(tmp_path: Path) -> None:
    found = problems(write(tmp_path, HEADER + "a,d,1,accuracy,0.9\na,d,2,accuracy,0.8\n"))
    assert "there is one system only ('a'). Expected two or more" in found


def test_one_replicate(tmp_path: Path) -> None:
    found = problems(write(tmp_path, HEADER + "a,d,1,accuracy,0.9\nb,d,1,accuracy,0.8\n"))
    assert "no two systems have more than one replicate in common. One replicate shows no spread" in found


def test_one_replicate_of_each_is_enough_for_three_data_sets(tmp_path: Path) -> None:
    rows = "".join(f"{system},{data},1,accuracy,0.5\n" for system in "ab" for data in "uvw")
    assert len(values(write(tmp_path, HEADER + rows))) == 6


def test_no_replicate_in_common(tmp_path: Path) -> None:
    rows = "a,d,1,accuracy,0.9\na,d,2,accuracy,0.8\nb,d,3,accuracy,0.9\nb,d,4,accuracy,0.8\n"
    found = problems(write(tmp_path, HEADER + rows))
    assert "no two systems have a replicate in common ('a' has 1, 2; 'b' has 3, 4)" in found


def test_names_that_differ_in_case_are_pointed_out(tmp_path: Path) -> None:
    text = GOOD + "B,cxr,1,accuracy,0.8\n"
    assert any("'b', 'B' are taken as different systems" in note for note in read_scores(write(tmp_path, text)).notes)


@pytest.mark.parametrize("text", ["", "\n\n  \n", "\ufeff", "\ufeff\n"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    assert "is empty. Expected a CSV, TSV or Parquet table with the columns system" in problems(write(tmp_path, text))


def test_a_header_without_rows(tmp_path: Path) -> None:
    assert "there are no rows below the header" in problems(write(tmp_path, HEADER))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert "score.csv is not there. Did you mean 'scores.csv'?" in problems(tmp_path / "score.csv")
    assert "is not there. Expected a CSV" in problems(tmp_path / "nowhere" / "x.csv")


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder. Expected a CSV, TSV or Parquet table" in problems(tmp_path)


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    assert "cannot be read" in problems(tmp_path / "a\0b")


@pytest.mark.parametrize(
    "content",
    [GOOD.encode("utf-16"), "Größe,a\n".encode("latin-1"), b"PK\x03\x04\x00\x00rest of a spreadsheet", b"PAR1broken"],
)
def test_a_file_that_is_no_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "scores.csv").write_bytes(content)
    found = problems(tmp_path / "scores.csv")
    assert "is no table in UTF-8" in found or "cannot be read as Parquet" in found


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    assert "cannot be read as a table: unexpected end of data (line 5)" in problems(
        write(tmp_path, GOOD.replace("\nb,cxr,2", '\n"b,cxr,2'))
    )
