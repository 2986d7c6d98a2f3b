"""scikit-learn estimators as models, and models that are not trained."""

import pytest
import torch
from helpers.lines import through_file
from sklearn import cluster, ensemble, linear_model, neighbors, preprocessing, svm, tree

from dlcli.config import build
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.evaluation import score
from dlcli.core.spec import Classes, Real, Spec
from dlcli.learners.estimator import Estimator
from dlcli.learners.frozen import Frozen
from dlcli.models.estimator.scikit import ScikitEstimator
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.regression import Regression

ROWS, WIDTH = 120, 6


def arrays(classes):
    rng = torch.Generator().manual_seed(classes)
    x = torch.randn(ROWS, 2, WIDTH // 2, generator=rng)
    flat = x.flatten(1)
    if classes:
        scores = flat @ torch.randn(WIDTH, classes, generator=rng) + 0.5 * torch.randn(ROWS, classes, generator=rng)
        return TensorSamples((x,), scores.argmax(1))
    return TensorSamples((x,), (flat[:, :1] * flat[:, 1:2]).sin() + 0.1 * torch.randn(ROWS, 1, generator=rng))


def task_of(classes, splits=None):
    target = Classes(classes) if classes else Real((1,))
    targets = Classification([str(number) for number in range(classes)]) if classes else Regression()
    data = arrays(classes)
    splits = splits or {"train": data, "valid": data, "test": data}
    return InMemoryTask(splits, Spec((Real((2, WIDTH // 2)),), target), targets, batch=32, order=0)


def fitted(estimator, task, seed=0):
    learner = Estimator(ScikitEstimator(task.spec, estimator=estimator), task, seed=seed)
    row = learner.step()
    assert learner.finished
    assert row.counts == {"updates": 1, "batches": task.size("train"), "samples": task.rows("train")}
    return learner.model.eval()


CLASSIFIERS = {
    "logistic": linear_model.LogisticRegression(),
    "ridge": linear_model.RidgeClassifier(),
    "svm": svm.LinearSVC(),
    "svc": svm.SVC(),
    "linear_svc": svm.SVC(kernel="linear"),
    "nu_svc": svm.NuSVC(nu=0.3),
    "neighbors": neighbors.KNeighborsClassifier(5),
    "near": neighbors.KNeighborsClassifier(3, weights="distance"),
    "tree": tree.DecisionTreeClassifier(max_depth=4),
    "forest": ensemble.RandomForestClassifier(n_estimators=7),
    "extra": ensemble.ExtraTreesClassifier(n_estimators=5),
    "boosting": ensemble.GradientBoostingClassifier(n_estimators=4),
    "histogram": ensemble.HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
}
REGRESSORS = {
    "least_squares": linear_model.LinearRegression(),
    "ridge": linear_model.Ridge(alpha=2.0),
    "lasso": linear_model.Lasso(alpha=0.01),
    "svr": svm.SVR(),
    "neighbors": neighbors.KNeighborsRegressor(4),
    "near": neighbors.KNeighborsRegressor(4, weights="distance"),
    "tree": tree.DecisionTreeRegressor(max_depth=5),
    "forest": ensemble.RandomForestRegressor(n_estimators=7),
    "boosting": ensemble.GradientBoostingRegressor(n_estimators=6),
    "histogram": ensemble.HistGradientBoostingRegressor(max_iter=6, min_samples_leaf=5),
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_predicts_as_scikit_learn(name, classes):
    estimator, task = CLASSIFIERS[name], task_of(classes)
    model = fitted(estimator, task)
    x = torch.randn(300, 2, WIDTH // 2, generator=torch.Generator().manual_seed(7))
    output = model(x)
    assert torch.equal(output.argmax(1), torch.as_tensor(estimator.predict(x.flatten(1).numpy())))
    if hasattr(estimator, "predict_proba"):
        expected = torch.as_tensor(estimator.predict_proba(x.flatten(1).double().numpy())).float()
        assert torch.allclose(output.softmax(1), expected, atol=1e-5)


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressor_predicts_as_scikit_learn(name):
    estimator, task = REGRESSORS[name], task_of(0)
    model = fitted(estimator, task)
    x = torch.randn(300, 2, WIDTH // 2, generator=torch.Generator().manual_seed(7))
    expected = torch.as_tensor(estimator.predict(x.flatten(1).double().numpy())).reshape(-1, 1).float()
    assert torch.allclose(model(x), expected, atol=1e-5)


def test_exponential_loss_of_boosting_predicts_as_scikit_learn():
    fitted(ensemble.GradientBoostingClassifier(n_estimators=3, loss="exponential"), task_of(2))


@pytest.mark.parametrize("classes", [0, 3])
def test_kmeans_assigns_as_scikit_learn_and_outputs_the_form_of_the_target(classes):
    estimator, task = cluster.KMeans(n_clusters=5, n_init=2), task_of(classes)
    model = fitted(estimator, task)
    x, target = arrays(classes).inputs[0], arrays(classes).target
    flat = x.flatten(1).double()
    assert torch.equal(model.rule.assign(flat), torch.as_tensor(estimator.predict(flat.numpy())).long())
    assert torch.allclose(model.rule.distances(flat), torch.as_tensor(estimator.transform(flat.numpy())))
    members = model.rule.assign(flat) == 0
    if classes:
        counts = torch.bincount(target[members], minlength=3) + 1.0
        expected = (counts / counts.sum()).log()
    else:
        expected = target[members].mean(0)
    assert torch.allclose(model(x[members][:1])[0], expected, atol=1e-6)
    assert score(model, task, "valid")


@pytest.mark.parametrize(
    ("name", "classes"), [("logistic", 3), ("forest", 3), ("histogram", 2)]
)  # fmt: skip
def test_checkpoint_is_tensors_and_restores_the_predictions(name, classes):
    task = task_of(classes)
    model = fitted(CLASSIFIERS[name], task)
    fresh = ScikitEstimator(task.spec, estimator=type(CLASSIFIERS[name])())
    assert torch.equal(fresh(arrays(classes).inputs[0]), torch.zeros(ROWS, classes))
    fresh.load_state_dict(through_file(model.state_dict()))
    assert torch.equal(fresh(arrays(classes).inputs[0]), model(arrays(classes).inputs[0]))
    learner = Estimator(ScikitEstimator(task.spec, estimator=type(CLASSIFIERS[name])()), task, seed=0)
    learner.load_state_dict(through_file({"model": model.state_dict(), "steps": 1}))
    assert learner.finished


def test_fitted_tensors_count_as_parameters():
    task = task_of(3)
    model = ScikitEstimator(task.spec, estimator=linear_model.LogisticRegression())
    assert build.count_parameters(torch.nn.Linear(2, 3)) == 9
    Estimator(model, task, seed=0).step()
    assert build.count_parameters(model) == 3 * WIDTH + 3 + 3  # coefficients, intercepts, class numbers


def test_seed_determines_the_forest():
    x = arrays(3).inputs[0]
    outputs = [fitted(ensemble.RandomForestClassifier(n_estimators=3), task_of(3), seed)(x) for seed in (1, 1, 2)]
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_samples_without_target_are_left_out():
    data = arrays(3)
    target = data.target.clone()
    target[::2] = -100
    part = TensorSamples(data.inputs, target)
    half = TensorSamples((data.inputs[0][1::2],), data.target[1::2])
    one = fitted(linear_model.LogisticRegression(), task_of(3, {"train": part, "valid": data}))
    other = fitted(linear_model.LogisticRegression(), task_of(3, {"train": half, "valid": data}))
    assert torch.allclose(one(data.inputs[0]), other(data.inputs[0]), atol=1e-3)


def test_classes_without_training_samples_get_the_smallest_probability():
    data = arrays(3)
    kept = data.target != 1
    few = TensorSamples((data.inputs[0][kept],), data.target[kept])
    model = fitted(linear_model.LogisticRegression(), task_of(3, {"train": few, "valid": data}))
    output = model(data.inputs[0])
    assert output.isfinite().all()
    assert (output[:, 1] < -15).all()


@pytest.mark.parametrize(
    ("estimator", "classes", "code"),
    [
        (preprocessing.StandardScaler(), 3, "invalid_value"),
        (cluster.DBSCAN(), 3, "invalid_value"),
        (neighbors.KNeighborsClassifier(metric="cosine"), 3, "unsupported"),
        (neighbors.RadiusNeighborsClassifier(), 3, "unsupported"),
        (svm.SVC(kernel="poly"), 3, "unsupported"),
        (linear_model.Ridge(), 3, "mismatch"),
        (linear_model.LogisticRegression(), 0, "mismatch"),
    ],
)
def test_estimators_that_cannot_be_used_are_refused(estimator, classes, code):
    with pytest.raises(UsageError) as error:
        ScikitEstimator(task_of(classes).spec, estimator=estimator)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("estimator", "missing"),
    [
        (svm.SVC(kernel="poly"), "SVC with kernel='poly': no rule"),
        (neighbors.KNeighborsClassifier(p=1), "KNeighborsClassifier with p=1: no rule"),
        (neighbors.RadiusNeighborsClassifier(), "RadiusNeighborsClassifier: no rule"),
    ],
)
def test_unsupported_estimator_names_what_is_missing(estimator, missing):
    with pytest.raises(UsageError) as error:
        ScikitEstimator(task_of(3).spec, estimator=estimator)
    assert error.value.fields["feature"].startswith(missing)


def test_estimator_refuses_a_rule_that_differs_from_the_library():
    with pytest.raises(UsageError) as error:
        fitted(linear_model.SGDClassifier(loss="log_loss"), task_of(3))
    assert error.value.code == "unsupported"


def test_data_that_the_library_refuses_are_an_error():
    one = arrays(3)
    same = TensorSamples(one.inputs, torch.zeros_like(one.target))
    with pytest.raises(UsageError) as error:
        fitted(linear_model.LogisticRegression(), task_of(3, {"train": same, "valid": one}))
    assert error.value.code == "invalid_data"


def test_estimator_refuses_other_models():
    with pytest.raises(Mismatch) as error:
        Estimator(torch.nn.Linear(2, 2), task_of(3), seed=0)
    assert (error.value.code, error.value.fields["got"]) == ("mismatch", "Linear")


def test_target_may_name_estimators_of_scikit_learn_only():
    config = {"plugins": []}
    from dlcli.config.targets import factory

    with pytest.raises(UsageError) as error:
        factory({"_target_": "sklearn.utils.Bunch"}, config, "model")
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "model._target_")
    assert isinstance(
        factory({"_target_": "sklearn.cluster.KMeans", "n_clusters": 3}, config, "model")(), cluster.KMeans
    )


def test_frozen_counts_nothing_and_finishes():
    model, task = torch.nn.Identity(), task_of(0)
    learner = Frozen(model, task)
    assert not learner.finished
    assert learner.step().counts == {"updates": 0, "batches": 0, "samples": 0}
    assert learner.finished
    other = Frozen(model, task)
    other.load_state_dict(through_file(learner.state_dict()))
    assert other.finished
