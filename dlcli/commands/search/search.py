"""`dlcli search`: a strategy, or a network that shares weights, looks for the best; then comes the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlcli import launch, loggers
from dlcli.commands.search.report import Verdict
from dlcli.commands.search.result import Shared, Tried
from dlcli.commands.search.trials import Runs, Wanted, carry
from dlcli.config import build, compose, identity, run_config, schema, search_points
from dlcli.config.budget import settle_budget
from dlcli.config.search_points import Base
from dlcli.core.errors import UsageError
from dlcli.core.executor import deaf
from dlcli.core.metric import Goal
from dlcli.core.space import OneShotModel, Searchable
from dlcli.core.task import declared
from dlcli.engine.checkpoint import read_last
from dlcli.engine.device import choose_device
from dlcli.engine.estimate import estimate_training
from dlcli.engine.fit import Plan, limits
from dlcli.engine.lifecycle import execute_run
from dlcli.engine.options import Options, listening
from dlcli.engine.resume import extended, held
from dlcli.engine.train import create, plan
from dlcli.learners.strategies.distributions import distributions
from dlcli.learners.strategies.strategy import Strategy
from dlcli.runs import selectors
from dlcli.runs.run import Run


def start(point: compose.Point, options: Options) -> Run:
    """A new search, to its verdict.

    Raises:
        UsageError: something is wrong with the configuration or the data; there is no run directory then.
    """
    with listening(options.quiet) as heard:
        config = settle_budget(point.resolved())
        built = build.build(config, choose_device(config["device"]))
        _check(config, built)
        if not isinstance(built.model, OneShotModel):
            _check_words(point, config, options)
        run = create(point, options, config, built, heard)
    return _carry_out(run, built, config, options)


def resume(selector: str, words: Sequence[str], options: Options) -> Run:
    """A search that was stopped, or that is to have more candidates.

    Raises:
        UsageError: it is alive or done, or the words change what is searched.
    """
    with held(selectors.one(selector, options.out)) as run:
        if run.info["verb"] != "search":
            raise UsageError(f"run {run.id} is of dlcli {run.info['verb']}: dlcli {run.info['verb']} --resume {run.id}")
        old = run_config.read(run.path / "config.yaml")
        config = extended(old, words)
        identity.check_code(old, run.info.get("code"), run.path)
        identity.check_versions(old, run.info.get("code"), run.path)
        with listening(options.quiet):
            built = build.build(old, choose_device(config["device"]))
        _check_words_of_resume(words, built)
        _check_longer(run, old, config)
        if "candidates" in config["strategy"]:
            config["strategy"]["candidates"] = config["candidates"]
        _check(config, built)
        if config != old:
            run.configure(run_config.dump(config), config)
        run.resume()
        saved = read_last(run)
        loggers.attach(run, config, saved["step"] if saved else 0)
    return _carry_out(run, built, config, options)


def points(words: Sequence[str], options: Options, zips: Sequence[str] = ()) -> list[compose.Point]:
    """Compose the searches that the overrides describe."""
    return compose.expand("search", words, extra=options.extra, smoke=options.smoke, zips=zips)


def estimate(point: compose.Point, options: Options) -> Mapping[str, Any]:
    """Estimate sizes and time of one training run of the search."""
    return estimate_training(point)


def _check_words_of_resume(words: Sequence[str], built: build.Built) -> None:
    """Whether they leave alone what is searched."""
    allowed = schema.resumable("search", *(["supernet"] if isinstance(built.model, OneShotModel) else []))
    for word in words:
        key = word.lstrip("+~").partition("=")[0].partition(".")[0]
        if key not in allowed:
            hint = f"--resume can change: {', '.join(allowed)}"
            raise UsageError("unsupported", subject="--resume", feature=f"a change of {key}", hint=hint)


def _check_longer(run: Run, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """A search goes on to more candidates, not to fewer."""
    if run.info["status"] == "completed" and new == old:
        raise UsageError(f"search {run.id} is completed; candidates=N beyond {old['candidates']} goes on with it")
    shorter = [name for name, limit in old["until"].items() if new["until"].get(name, limit) < limit]
    if shorter:
        name = shorter[0]
        raise UsageError(f"the search was for {old['until'][name]:g} {name}; it cannot have {new['until'][name]:g}")
    if new["candidates"] < old["candidates"]:
        raise UsageError(f"the search was for {old['candidates']} candidates; it cannot have {new['candidates']}")


def _check(config: Mapping[str, Any], built: build.Built) -> None:
    """What can be known to be wrong before anything runs."""
    stops = dict(limits(config["until"], built.learner, built.task))
    if isinstance(built.model, OneShotModel):
        _check_shared(config, built)
        return
    strategy = build.build_strategy(config, Wanted(goal(config, built), space_of(built)))
    planned = limits(_plan(config).until, strategy, built.task)
    steps, most = stops.get("steps", stops.get("batches")), dict(planned).get("trial_steps")
    if steps is not None and most is not None and most < steps:
        raise UsageError(f"limit.trial_steps={most:g} is smaller than one candidate, which takes {steps:g} steps")


def _check_shared(config: Mapping[str, Any], built: build.Built) -> None:
    """What a search with shared weights cannot be asked for."""
    _check_single(built)
    if config["candidates"] < 1:
        raise UsageError(f"candidates is at least 1, not {config['candidates']}: one is what the search finds")
    for name in ("over", "limit"):
        if config[name]:
            raise UsageError(f"{name}: {type(built.model).__name__} is trained once for all; {name} is of strategies")
    goal(config, built)


def _check_single(built: build.Built) -> None:
    space = space_of(built)
    if space is not None and all(len(decision.choices) < 2 for decision in space.decisions):
        raise UsageError("the space has a single member: there is nothing to search")


def _check_words(point: compose.Point, config: Mapping[str, Any], options: Options) -> None:
    """Whether the keys that are searched over exist, and take such values.

    Raises:
        UsageError: one does not, or the strategy searches over no keys.
    """
    over = distributions(config["over"])
    if over and "over" not in config["strategy"]:
        name = point.choices["strategy"]
        raise UsageError(f"strategy={name} searches architectures alone; --over is for random, successive_halving, tpe")
    own = [point.recipe] if point.recipe else []
    for word in [word for one in over for word in one.samples]:
        search_points.trials("search", [*own, *point.words, word], None, options.extra)


def goal(config: Mapping[str, Any], built: build.Built) -> Goal:
    """The metric that ranks candidates, with the direction that the task declares: its main metric, or `metric=NAME`.

    Raises:
        UsageError: the task does not report it.
    """
    metric, main = config["metric"], built.task.main
    if metric is None or metric == main.metric:
        return main
    known = declared(built.task)
    if metric not in known:
        hint = "metric=NAME takes one of the metrics that task.metrics selects"
        subject = type(built.task).__name__
        raise UsageError("unreported_metric", subject=subject, name=metric, known=list(known), hint=hint)
    return known[metric].goal


def space_of(built: build.Built) -> Any:
    """The space that the model is a member of; None of other models."""
    return built.model.space if isinstance(built.model, Searchable) else None


def _plan(config: Mapping[str, Any]) -> Plan:
    """A strategy saves after every batch."""
    until = {"trials": config["candidates"], **config["limit"]}
    return Plan(until, eval_every=1, log_every=1, wall_time_limit=config["wall_time_limit"])


def _carry_out(run: Run, built: build.Built, config: Mapping[str, Any], options: Options) -> Run:
    plain = replace(options, jobs=None, on="local")
    with launch.engine(options.on, carry, options.jobs, deaf, run.path) as executor:
        base = Base.of(run.info, config["retrain"]["recipe"])
        trials = Runs(executor, run, base, options, goal(config, built), space_of(built))
        if isinstance(built.model, OneShotModel):
            ending = Verdict(run, trials, config, Shared(run, config, built, trials.goal))
            return execute_run(run, built, plan(config), plain, config["threads"], ending)
        strategy = build.build_strategy(config, trials)
        assert isinstance(strategy, Strategy)
        ending = Verdict(run, trials, config, Tried(strategy, config))
        return execute_run(run, replace(built, learner=strategy), _plan(config), plain, config["threads"], ending)
