"""Scores of single classes and the confusion matrix on the page."""

from made_runs import make_groups, make_run

from dlcli.report.comparison.comparison import ComparisonOptions, compare
from dlcli.report.page import html, payload
from dlcli.runs import selectors
from dlcli.runs.run import Run

PER_CLASS = "class,precision,recall,f1,support\ncat,0.5,1.0,0.6667,10\ndog,nan,0.0,,5\n"
CONFUSION = "true,cat,dog\ncat,10,0\ndog,5,0\n"


def put(path, **files):
    (path / "artifacts").mkdir(exist_ok=True)
    for name, text in files.items():
        (path / "artifacts" / f"{name}.csv").write_text(text)


def classes(out):
    return payload.build(compare(selectors.scan(out), ComparisonOptions()), "title", "command", None)["classes"]


def test_page_shows_the_first_run_of_each_group(tmp_path):
    for path in make_groups(tmp_path, {"tcn": [0.9, 0.8], "gru": [0.7]}):
        put(path, per_class=PER_CLASS, confusion=CONFUSION)
    first, second = classes(tmp_path)
    assert (first["group"], second["group"]) == (0, 1)
    assert [column["title"] for column in first["table"]["columns"]] == [
        "class",
        "precision",
        "recall",
        "f1",
        "support",
    ]
    assert first["table"]["cells"] == [["cat", "0.5000", "1.000", "0.6667", "10"], ["dog", "", "0", "", "5"]]
    assert first["confusion"] == {"names": ["cat", "dog"], "counts": [[10, 0], [5, 0]]}


def test_run_without_tables_has_no_entry(tmp_path):
    make_run(tmp_path)
    assert classes(tmp_path) == []


def test_damaged_tables_are_left_out(tmp_path):
    path = make_run(tmp_path)
    put(path, per_class="class,f1\n", confusion="true,cat,dog\ncat,1\n")
    assert classes(tmp_path) == []


def test_page_of_one_run_has_its_classes(tmp_path):
    path = make_run(tmp_path)
    put(path, per_class=PER_CLASS)
    html.write_run(tmp_path / "page.html", Run.open(path))
    assert '"classes":[{' in (tmp_path / "page.html").read_text()
