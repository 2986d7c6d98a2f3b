"""How much faster a population plays CartPole in dlcli than in EvoTorch: environment steps a second, one process.

pip install -e '.[gym,bench]' && python benchmarks/evotorch_cartpole.py [--json] [--repeats N] [--only WORD]

Both play the same policies, a 4-16-2 perceptron each, on one thread: GymNE (one policy after another) and VecGymNE
(gymnasium's vectorised environments) of EvoTorch, and dlcli's task with its own perceptron. Each plays a generation in
turn, and the median of the ratios within a round is printed. Seconds are the processor's, which on a core of its own
are the clock's. Random policies fall after some 20 steps; trained ones, in a cloud around a policy that balances, hold
on to the 500th, so that most of the population is there most of the time.
"""

import argparse
import json
import logging
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import evotorch
import gymnasium
from evotorch.neuroevolution import GymNE, VecGymNE

from dlcli.core.population import ParameterLayout
from dlcli.models.policy.mlp import MLP
from dlcli.tasks.control.gymnasium.environments import Gymnasium

RIVALS = ("GymNE", "VecGymNE")
_SPREAD = 0.05  # of the trained policies around the one that balances


@dataclass(frozen=True)
class Case:
    """A population; `goal` is the ratio to GymNE that must hold."""

    name: str
    size: int
    trained: bool
    goal: float


CASES = (
    Case("random, population 1,000", 1000, False, 8.0),
    Case("random, population 50", 50, False, 1.0),
    Case("trained, population 1,000", 1000, True, 8.0),
    Case("trained, population 50", 50, True, 1.0),
)

Generation = Callable[[], tuple[float, float]]
"""Environment steps a second, and the mean return."""


def network() -> nn.Module:
    """EvoTorch's policy: its parameters have the order of dlcli's."""
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))


def population(case: Case) -> Tensor:
    """float32 [individual, 114]."""
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(case.size, 114, generator=random)
    return balancing() + _SPREAD * noise if case.trained else noise


def balancing() -> Tensor:
    """A policy written by hand: one unit sees where the pole falls to, and both scores follow it."""
    hidden = torch.zeros(16, 4)
    hidden[0] = torch.tensor([0.1, 0.5, 3.0, 3.0])
    scores = torch.zeros(2, 16)
    scores[:, 0] = torch.tensor([-1.0, 1.0])
    return torch.cat([hidden.flatten(), torch.zeros(16), scores.flatten(), torch.zeros(2)])


def theirs(kind: str, values: Tensor) -> Generation:
    """A generation of EvoTorch."""
    problem = GymNE("CartPole-v1", network) if kind == "GymNE" else VecGymNE("gym::CartPole-v1", network)
    batch = problem.generate_batch(len(values))

    def generation() -> tuple[float, float]:
        batch.set_values(values)  # forgets the fitness
        before, begin = problem.interaction_count, time.process_time()
        problem.evaluate(batch)
        seconds = time.process_time() - begin
        return (problem.interaction_count - before) / seconds, float(batch.evals.mean())

    check(problem.make_net(values[0]), values)
    return generation


def ours(values: Tensor) -> Generation:
    """A generation of dlcli: parameters from vectors, and every episode to its end."""
    task, model = made()
    layout, index = ParameterLayout(model), 0

    def generation() -> tuple[float, float]:
        nonlocal index
        index += 1
        begin = time.process_time()
        rating = task.rate(model, layout.stack(values), [task.batch("train", index)])
        seconds = time.process_time() - begin
        return int(rating.cost.sum()) / seconds, float(rating.fitness.mean())

    return generation


def made() -> tuple[Gymnasium, MLP]:
    task = Gymnasium(id="CartPole-v1", options={}, episodes=1, valid_episodes=1, test_episodes=1, lanes=1)
    return task, MLP(task.spec, hidden=[16], activation="tanh")


def check(net: nn.Module, values: Tensor) -> None:
    """Raises AssertionError when EvoTorch's policy and dlcli's answer differently."""
    _, model = made()
    ParameterLayout(model).load(model, values[0])
    x = torch.randn(100, 4)
    torch.testing.assert_close(net(x), model(x))


def measure(case: Case, repeats: int) -> dict[str, str | float]:
    values = population(case)
    players = [*(theirs(kind, values) for kind in RIVALS), ours(values)]
    rounds = [taken_in_turns(players, turn) for turn in range(repeats + 1)][1:]
    row: dict[str, str | float] = {"name": case.name}
    for name, column in zip((*RIVALS, "dlcli"), zip(*rounds, strict=True), strict=True):
        row[name] = round(statistics.median(column))
    for place, name in enumerate(RIVALS):
        row[f"dlcli / {name}"] = round(statistics.median(each[-1] / each[place] for each in rounds), 2)
    return {**row, "goal": case.goal}


def taken_in_turns(players: Sequence[Generation], turn: int) -> list[float]:
    """The speed of each; who begins changes with every turn.

    Raises:
        AssertionError: equal policies did not come equally far.
    """
    places = range(len(players))
    played = {place: players[place]() for place in (places if turn % 2 else reversed(places))}
    returns = [mean for _, mean in played.values()]
    assert max(returns) < 1.15 * min(returns), returns
    return [played[place][0] for place in places]


def show(where: dict[str, str | int], rows: Sequence[dict[str, str | float]]) -> None:
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print("environment steps a second")
    print("".join(f"{key:>18}" if key != "name" else f"{'':<28}" for key in rows[0]))
    for row in rows:
        print("".join(f"{value:>18,}" if key != "name" else f"{value:<28}" for key, value in row.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds of each case (5)")
    parser.add_argument(
        "--only", default="", metavar="WORD", help="cases whose name has it (all; trained ones take minutes)"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    rows = [measure(case, arguments.repeats) for case in CASES if arguments.only in case.name]
    where = {
        "threads": 1, "cores": os.cpu_count() or 0, "machine": platform.machine(), "torch": torch.__version__,
        "evotorch": evotorch.__version__, "gymnasium": gymnasium.__version__,
    }  # fmt: skip
    if arguments.json:
        print(json.dumps({**where, "rows": rows}, indent=2))
    else:
        show(where, rows)


if __name__ == "__main__":
    main()
