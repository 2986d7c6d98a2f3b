"""`dlcli search`: hyper-parameter or architecture search by a strategy or a one-shot model, then the evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlcli import launch, loggers
from dlcli.commands.search.report import SearchReport
from dlcli.commands.search.result import OneShotSearch, TrialSearch
from dlcli.commands.search.trials import TrialRuns, UnstartedTrials, run_trial
from dlcli.config import build, compose, identity, run_config, schema, search_points
from dlcli.config.budget import solve_budget
from dlcli.config.search_points import SearchBase
from dlcli.core.errors import UsageError
from dlcli.core.executor import ignore_events
from dlcli.core.metric import Goal
from dlcli.core.space import OneShotModel, Searchable
from dlcli.core.task import declared_metrics
from dlcli.engine.checkpoint import read_last
from dlcli.engine.device import choose_device
from dlcli.engine.estimate import estimate_training
from dlcli.engine.fit import Plan, limits
from dlcli.engine.lifecycle import execute_run
from dlcli.engine.options import Options, captured_messages
from dlcli.engine.resume import locked, with_overrides
from dlcli.engine.train import create_run, plan
from dlcli.learners.strategies.distributions import distributions
from dlcli.learners.strategies.strategy import Strategy
from dlcli.runs import selectors
from dlcli.runs.run import Run


def start(point: compose.Point, options: Options) -> Run:
    """Run a new search and its final evaluation, and return the run when it has ended.

    Raises:
        UsageError: the configuration or the data are invalid; no run directory is created.
    """
    with captured_messages(options.quiet) as messages:
        config = solve_budget(point.resolved())
        built = build.build(config, choose_device(config["device"]))
        _check(config, built)
        if not isinstance(built.model, OneShotModel):
            _check_search_space(point, config, options)
        run = create_run(point, options, config, built, messages)
    return _run_search(run, built, config, options)


def resume(selector: str, overrides: Sequence[str], options: Options) -> Run:
    """Resume a search that was stopped, or extend a completed one by more candidates.

    Raises:
        UsageError: the search is running or complete, or the overrides change the search space.
    """
    with locked(selectors.one(selector, options.out)) as run:
        if run.info["verb"] != "search":
            hint = f"dlcli {run.info['verb']} --resume {run.id}"
            reason = f"it is a run of dlcli {run.info['verb']}"
            raise UsageError("not_resumable", path=f"run {run.id}", reason=f"{reason}, not of search", hint=hint)
        old = run_config.read(run.path / "config.yaml")
        config = with_overrides(old, overrides)
        identity.check_code(old, run.info.get("code"), run.path)
        identity.check_versions(old, run.info.get("code"), run.path)
        with captured_messages(options.quiet):
            built = build.build(old, choose_device(config["device"]))
        _check_resume_overrides(overrides, built)
        _check_longer(run, old, config)
        if "candidates" in config["strategy"]:
            config["strategy"]["candidates"] = config["candidates"]
        _check(config, built)
        if config != old:
            run.configure(run_config.dump(config), config)
        run.resume()
        saved = read_last(run)
        loggers.attach(run, config, saved["step"] if saved else 0)
    return _run_search(run, built, config, options)


def points(overrides: Sequence[str], options: Options, zips: Sequence[str] = ()) -> list[compose.Point]:
    """Compose the searches that the overrides describe."""
    return compose.expand("search", overrides, extra=options.extra, smoke=options.smoke, zips=zips)


def estimate(point: compose.Point, options: Options) -> Mapping[str, Any]:
    """Estimate sizes and time of one training run of the search."""
    return estimate_training(point)


def _check_resume_overrides(overrides: Sequence[str], built: build.Built) -> None:
    """Check that the overrides do not change the search space."""
    allowed = schema.resumable("search", *(["supernet"] if isinstance(built.model, OneShotModel) else []))
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0].partition(".")[0]
        if key not in allowed:
            hint = f"--resume can change: {', '.join(allowed)}"
            raise UsageError("unsupported", subject="--resume", feature=f"a change of {key}", hint=hint)


def _check_longer(run: Run, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Check that a resumed search has later stops than before."""
    if run.info["status"] == "completed" and new == old:
        hint = f"Give candidates=N above {old['candidates']} to extend the search."
        raise UsageError("not_resumable", path=f"search {run.id}", reason="it is complete", hint=hint)
    shorter = [name for name, limit in old["until"].items() if new["until"].get(name, limit) < limit]
    if shorter:
        key, least, limit = f"until.{shorter[0]}", old["until"][shorter[0]], new["until"][shorter[0]]
        raise UsageError("invalid_value", key=key, must=f"at least {least:g}, as before", got=limit)
    if new["candidates"] < old["candidates"]:
        must = f"at least {old['candidates']}, as before"
        raise UsageError("invalid_value", key="candidates", must=must, got=new["candidates"])


def _check(config: Mapping[str, Any], built: build.Built) -> None:
    """Check a search as far as possible before it starts."""
    stops = dict(limits(config["until"], built.learner, built.task))
    if isinstance(built.model, OneShotModel):
        _check_one_shot(config, built)
        return
    strategy = build.build_strategy(config, UnstartedTrials(goal(config, built), space_of(built)))
    planned = limits(_plan(config).until, strategy, built.task)
    steps, budget = stops.get("steps", stops.get("batches")), dict(planned).get("trial_steps")
    if steps is not None and budget is not None and budget < steps:
        must = f"at least {steps:g}, the steps of one candidate"
        raise UsageError("invalid_value", key="limit.trial_steps", must=must, got=budget)


def _check_one_shot(config: Mapping[str, Any], built: build.Built) -> None:
    """Check the options of a search with shared weights."""
    space = space_of(built)
    if space is not None and all(len(decision.choices) < 2 for decision in space.decisions):
        must = "more than one architecture"
        raise UsageError("invalid_value", key="the search space", must=must, got="a single one")
    if config["candidates"] < 1:
        raise UsageError("invalid_value", key="candidates", must="at least 1", got=config["candidates"])
    for name in ("over", "limit"):
        if config[name]:
            hint = f"{name} requires a strategy, such as strategy=random."
            raise UsageError("unsupported", subject=type(built.model).__name__, feature=name, key=name, hint=hint)
    goal(config, built)


def _check_search_space(point: compose.Point, config: Mapping[str, Any], options: Options) -> None:
    """Check that the searched keys exist and accept the values of their distributions.

    Raises:
        UsageError: a key or value is invalid, or the strategy searches over architectures only.
    """
    over = distributions(config["over"])
    if over and "over" not in config["strategy"]:
        name = point.choices["strategy"]
        hint = "Use strategy=random, successive_halving or tpe."
        raise UsageError("unsupported", subject=f"strategy={name}", feature="--over", key="over", hint=hint)
    recipe = [point.recipe] if point.recipe else []
    for distribution in over:
        for override in distribution.samples:
            search_points.compose_trials("search", [*recipe, *point.words, override], None, options.extra)


def goal(config: Mapping[str, Any], built: build.Built) -> Goal:
    """Return the metric that ranks candidates: the main metric of the task, or `metric=NAME`.

    Raises:
        UsageError: the task does not report the metric.
    """
    metric, main = config["metric"], built.task.main
    if metric is None or metric == main.metric:
        return main
    known = declared_metrics(built.task)
    if metric not in known:
        hint = "Give one of the metrics that task.metrics selects."
        subject = type(built.task).__name__
        raise UsageError("unreported_metric", subject=subject, name=metric, known=list(known), hint=hint)
    return known[metric].goal


def space_of(built: build.Built) -> Any:
    """Return the search space of a model; None if the model belongs to none."""
    return built.model.space if isinstance(built.model, Searchable) else None


def _plan(config: Mapping[str, Any]) -> Plan:
    """Plan of a strategy: evaluate and save after each batch of trials."""
    until = {"trials": config["candidates"], **config["limit"]}
    return Plan(until, eval_every=1, log_every=1, wall_time_limit=config["wall_time_limit"])


def _run_search(run: Run, built: build.Built, config: Mapping[str, Any], options: Options) -> Run:
    single = replace(options, jobs=None, on="local")  # the trials, not the search, run in parallel
    with launch.open_executor(options.on, run_trial, options.jobs, ignore_events, run.path) as executor:
        base = SearchBase.of(run.info, config["retrain"]["recipe"])
        trials = TrialRuns(executor, run, base, options, goal(config, built), space_of(built))
        if isinstance(built.model, OneShotModel):
            report = SearchReport(run, trials, config, OneShotSearch(run, config, built, trials.goal))
            return execute_run(run, built, plan(config), single, config["threads"], report)
        strategy = build.build_strategy(config, trials)
        assert isinstance(strategy, Strategy)
        report = SearchReport(run, trials, config, TrialSearch(strategy, config))
        return execute_run(run, replace(built, learner=strategy), _plan(config), single, config["threads"], report)
