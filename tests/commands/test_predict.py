"""Predictions for new files: without targets, in the units and labels of the training data, with their source row."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import dlcli
from dlcli.cli.app import app
from dlcli.commands.predict import to_csv

RANDOM = np.random.default_rng(0)


def predict(*words):
    result = CliRunner().invoke(app, ["predict", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("predict")


@pytest.fixture(scope="module")
def regression(folder):
    x = RANDOM.normal(3, 5, (80, 2, 12)).astype(np.float32)
    np.savez(folder / "values.npz", x=x, y=(100 * x.mean((1, 2)) + 4000).astype(np.float32))
    words = ["model=mlp", "task=npz", f"task.path={folder / 'values.npz'}", "steps=60", "threads=1"]
    return dlcli.train(*words, out=folder / "runs", progress="none"), x


@pytest.fixture(scope="module")
def classifier(folder):
    x = RANDOM.normal(0, 1, (80, 2, 12)).astype(np.float32)
    y = (x.mean((1, 2)) > 0).astype(np.int64)
    np.savez(folder / "labels.npz", x=x, y=y, class_names=np.array(["low", "=high"]))
    words = ["model=mlp", "task=npz", f"task.path={folder / 'labels.npz'}", "steps=60", "threads=1"]
    return dlcli.train(*words, out=folder / "runs", progress="none"), x, y


@pytest.fixture(scope="module")
def images(folder):
    for level, name in ((40, "dark"), (200, "light")):
        (folder / "images" / name).mkdir(parents=True)
        for index in range(12):
            pixels = RANDOM.integers(level - 30, level + 30, (8, 8)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name / f"{index:02}.png")
    words = ["model=cnn", "task=image_folder", f"task.path={folder / 'images'}", "epochs=20", "threads=1"]
    return dlcli.train(*words, out=folder / "runs", progress="none")


def test_predict_returns_values_in_the_units_of_the_data(regression, folder):
    run, x = regression
    np.savez(folder / "new.npz", x=x[:9])
    code, text, stderr = predict(run.path, folder / "new.npz")
    assert code == 0, stderr
    found = rows(text)
    assert [int(row["row"]) for row in found] == list(range(9))
    scored = CliRunner().invoke(
        app, ["eval", str(run.path), "--split", "all", "--predictions", str(folder / "all.csv"), "--out", str(folder)]
    )
    assert scored.exit_code == 0, scored.stderr
    expected = [float(row["prediction"]) for row in rows((folder / "all.csv").read_text())][:9]
    assert [float(row["prediction"]) for row in found] == pytest.approx(expected, rel=1e-5)
    assert all(3000 < float(row["prediction"]) < 5000 for row in found)


def test_predictions_belong_to_their_rows(regression):
    run, x = regression
    order = RANDOM.permutation(len(x))
    frame, permuted = run.predict(x), run.predict(x[order])
    np.testing.assert_allclose(permuted["prediction"], frame["prediction"].to_numpy()[order], rtol=1e-6)


def test_labels_and_probabilities_have_the_names_of_the_classes(classifier, folder):
    run, x, y = classifier
    frame = run.predict(x)
    assert list(frame) == ["row", "prediction", "probability_low", "probability_=high"]
    np.testing.assert_allclose(frame["probability_low"] + frame["probability_=high"], 1, atol=2e-6)
    assert ((frame["prediction"] == "=high") == (frame["probability_=high"] > 0.5)).all()
    scored = folder / "scored.csv"
    words = ["eval", str(run.path), "--split", "all", "--predictions", str(scored), "--out", str(folder)]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert [row["prediction"] for row in rows(scored.read_text())] == frame["prediction"].tolist()
    assert [row["target"] == "=high" for row in rows(scored.read_text())] == (y == 1).tolist()


def test_csv_text_cannot_start_a_formula(classifier, folder):
    run, x, _ = classifier
    np.savez(folder / "new.npz", x=x)
    code, _, stderr = predict(run.path, folder / "new.npz", "--to", folder / "labels.csv")
    assert (code, "80 predictions" in stderr) == (0, True)
    assert {row["prediction"] for row in rows((folder / "labels.csv").read_text())} == {"low", "'=high"}
    table = to_csv({"a": np.array(["-1", "x"], dtype=object), "b": np.array([-1.5, np.nan])})
    assert table == "a,b\n'-1,-1.5\nx,\n"


def test_images_are_named_by_their_files(images, folder):
    code, text, stderr = predict(images.path, folder / "images")
    assert code == 0, stderr
    assert {row["file"] for row in rows(text)} >= {"dark/00.png", "light/11.png"}
    assert all(row["file"].startswith(row["prediction"]) for row in rows(text))
    flat = folder / "flat"
    flat.mkdir()
    (flat / "b.png").write_bytes((folder / "images/light/03.png").read_bytes())
    (flat / "a.png").write_bytes((folder / "images/dark/03.png").read_bytes())
    assert [(row["file"], row["prediction"]) for row in rows(predict(images.path, flat)[1])] == [
        ("a.png", "dark"),
        ("b.png", "light"),
    ]
    (row,) = json.loads(predict(images.path, flat / "b.png", "--json")[1])
    assert (row["file"], row["prediction"]) == ("b.png", "light")


def test_predict_writes_no_run(regression, folder):
    run, x = regression
    before = sorted((folder / "runs").rglob("run.json"))
    run.predict(x[:2])
    assert sorted((folder / "runs").rglob("run.json")) == before


def test_predict_refuses_files_that_do_not_fit(regression, folder):
    run, x = regression
    np.savez(folder / "narrow.npz", x=x[:, :1])
    for path in (folder / "absent.npz", folder / "narrow.npz", folder / "images"):
        code, text, stderr = predict(run.path, path)
        assert (code, text) == (2, "")
        assert "Traceback" not in stderr


def test_predict_refuses_runs_whose_task_has_no_files(folder):
    words = ["mlp_digits", "steps=1", "threads=1"]
    run = dlcli.train(*words, out=folder / "digits", progress="none")
    code, _, stderr = predict(run.path, folder / "values.npz")
    assert code == 2
    assert "--predictions" in stderr


@pytest.fixture(scope="module")
def forecaster(folder):
    dates = pd.date_range("2020-01-31", periods=60, freq="ME")
    frame = pd.concat(
        pd.DataFrame(
            {"date": dates.strftime("%Y-%m-%d"), "shop": shop, "sales": level + RANDOM.normal(0, 5, 60).round(1)}
        )
        for shop, level in (("a", 100), ("b", 900))
    )
    frame.to_csv(folder / "sales.csv", index=False)
    words = ["model=tcn", "model.channels=[4]", "task=csv", f"task.path={folder / 'sales.csv'}", "task.target=sales"]
    words += ["task.group=shop", "task.window=6", "task.horizon=3", "steps=30", "threads=1"]
    return dlcli.train(*words, out=folder / "runs", progress="none"), frame


def test_forecasts_have_origin_time_and_horizon_of_the_predicted_value(forecaster, folder):
    run, frame = forecaster
    found = run.predict(folder / "sales.csv")
    assert list(found) == ["row", "shop", "origin", "time", "horizon", "prediction"]
    joined = found.merge(frame, left_on=["shop", "time"], right_on=["shop", "date"], how="left")
    scored = folder / "forecasts.csv"
    words = ["eval", str(run.path), "--split", "all", "--predictions", str(scored), "--out", str(folder)]
    assert CliRunner().invoke(app, words).exit_code == 0
    expected = pd.read_csv(scored)
    for step in (1, 2, 3):
        mine = joined[(joined["horizon"] == step) & joined["sales"].notna()]
        wide = expected.merge(mine, left_on=["group", "time"], right_on=["shop", "origin"])
        assert len(wide) == len(expected)
        np.testing.assert_allclose(wide["prediction"], wide[f"sales_prediction_{step}"], rtol=1e-5)
        np.testing.assert_allclose(wide["sales"], wide[f"sales_target_{step}"], rtol=1e-5)
    assert (frame["date"].iloc[found["row"] % 60 - 1].to_numpy() == found["origin"].to_numpy()).all()


def test_last_forecasts_continue_the_calendar_of_each_series(forecaster, folder):
    run, _ = forecaster
    code, text, stderr = predict(run.path, folder / "sales.csv", "--last")
    assert code == 0, stderr
    found = [(row["shop"], row["origin"], row["time"], row["horizon"]) for row in rows(text)]
    times = ["2025-01-31", "2025-02-28", "2025-03-31"]
    assert found == [(s, "2024-12-31", time, str(i + 1)) for s in "ab" for i, time in enumerate(times)]
    levels = {shop: [float(row["prediction"]) for row in rows(text) if row["shop"] == shop] for shop in "ab"}
    assert len(levels["a"]) == len(levels["b"]) == 3


def test_last_requires_a_forecast(regression, folder):
    code, _, stderr = predict(regression[0].path, folder / "values.npz", "--last")
    assert code == 2
    assert "--last" in stderr


def test_forecast_times_are_iso_whatever_the_format_of_the_file(folder):
    dates = pd.date_range("2021-03-01", periods=90, freq="D")
    frame = pd.DataFrame({"day": dates.strftime("%d/%m/%Y"), "level": RANDOM.normal(50, 2, 90).round(2)})
    frame.to_csv(folder / "levels.csv", index=False)
    words = ["model=tcn", "model.channels=[4]", "task=csv", f"task.path={folder / 'levels.csv'}", "task.target=level"]
    words += ["task.window=5", "task.horizon=2", "steps=3", "threads=1"]
    found = dlcli.train(*words, out=folder / "runs", progress="none").predict(folder / "levels.csv")
    assert (pd.to_datetime(found["origin"]) == dates[found["row"] - 1]).all()
    assert (pd.to_datetime(found["time"]) - pd.to_datetime(found["origin"])).dt.days.tolist() == list(found["horizon"])
    assert found["time"].iloc[-1] == "2021-05-31"
