"""Tables without a time order: stratified splits, encodings, and predictions by row."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.evaluation import predict, score
from dlcli.core.spec import Classes, Real
from dlcli.tasks.user_table import UserTable

DEFAULTS = {
    "target": "kind", "kind": "auto", "exclude": [], "missing": "mean", "max_categories": 5,
    "fractions": [0.7, 0.15, 0.15], "batch": 8, "order": 0, "data_seed": 0, "fitted": None,
}  # fmt: skip


@pytest.fixture
def table(tmp_path):
    def make(frame, **options):
        path = tmp_path / "table.csv"
        frame.to_csv(path, index=False)
        return UserTable(**(DEFAULTS | {"path": str(path)} | options))

    return make


def fruit(rows=200):
    count = np.arange(rows)
    return pd.DataFrame(
        {
            "size": 1.0 + count % 7,
            "color": np.array(["red", "green"])[count % 2],
            "kind": np.where(count % 10 == 0, "None", np.where(count % 2, "pear", "apple")),
            "price": 5.0 * (count % 7) + count % 2,
        }
    )


class Oracle(nn.Module):
    """Class 1 (apple) or 2 (pear) by the one-hot channels of the color."""

    def forward(self, x):
        return torch.stack([torch.full((len(x),), -9.0), x[:, 3], x[:, 2]], 1)


def test_table_splits_are_stratified_and_disjoint(table):
    task = table(fruit())
    assert task.spec == type(task.spec)((Real((4,)),), Classes(3))
    assert task.fitted["classes"] == ["None", "apple", "pear"]
    rows = {split: task._row_numbers[split].tolist() for split in ("train", "valid", "test")}
    assert sorted(number for part in rows.values() for number in part) == list(range(1, 201))
    assert [len(part) for part in rows.values()] == [140, 30, 30]
    targets = torch.cat([task.batch("test", index).target for index in range(task.size("test"))])
    assert torch.bincount(targets).tolist() == [3, 12, 15]


def test_table_split_depends_on_data_seed_only(table):
    first, second, third = table(fruit()), table(fruit(), order=5), table(fruit(), data_seed=1)
    assert first._row_numbers["test"].equals(second._row_numbers["test"])
    assert not first._row_numbers["test"].equals(third._row_numbers["test"])


def test_table_statistics_are_those_of_training_rows(table):
    task = table(fruit())
    train = fruit().loc[task._row_numbers["train"] - 1]
    assert task.fitted["mean"][0] == pytest.approx(train["size"].mean())
    assert task.fitted["categories"] == {"color": ["green", "red"]}


def test_table_predictions_name_rows_and_labels(table):
    task = table(fruit())
    predicted = predict(Oracle(), task, [task.batch("all", index) for index in range(task.size("all"))])
    assert predicted["row"] == list(range(1, 201))
    assert predicted["kind_target"] == fruit()["kind"].tolist()
    assert score(Oracle(), task, "all")["accuracy"] == pytest.approx(0.9)


def test_table_value_is_scored_in_the_units_of_the_data(table):
    task = table(fruit(), target="price", exclude=["kind"])
    assert task.spec.target == Real((1,))
    baseline = task.baseline()
    assert baseline.name == "mean"
    train, test = (fruit()["price"].loc[task._row_numbers[split] - 1] for split in ("train", "test"))
    assert score(baseline.predictor, task, "test")["mse"] == pytest.approx(
        np.square(test - train.mean()).mean(), rel=1e-4
    )


def test_table_without_targets_is_predicted_with_fitted_quantities(table):
    task = table(fruit())
    new = table(fruit(10).drop(columns="kind"), fitted=task.fitted)
    assert new.rows("future") == 10
    assert torch.equal(new.batch("future", 0).inputs[0], task.batch("all", 0).inputs[0][:10])


def test_table_rows_without_target_are_in_no_split(table, caplog):
    frame = fruit()
    frame.loc[:49, "kind"] = ""
    with caplog.at_level("WARNING", "dlcli"):
        task = table(frame)
    assert "50 of 200 rows not used (25.0 %)" in caplog.text
    assert task.rows("all") == 150
    assert task.rows("future") == 50


@pytest.mark.parametrize(
    ("frame", "options", "subject"),
    [
        (fruit(), {"target": "knd"}, "task.target"),
        (fruit(), {"exclude": ["sise"]}, "task.exclude"),
        (fruit()[["kind"]], {}, "no column to predict"),
        (fruit(3), {}, "too few rows"),
        (fruit().assign(color=[f"c{i}" for i in range(200)]), {}, "task.max_categories=5"),
        (fruit().assign(size=np.nan), {"missing": "error"}, "missing values"),
    ],
)
def test_table_error_names_its_subject(table, frame, options, subject):
    with pytest.raises(UsageError) as error:
        table(frame, **options)
    assert subject in str(error.value)
