"""What it costs to find a good member of a small space: shared weights, trained candidates, all of them.

    python benchmarks/search_cost.py [--json] [--seeds A:B] [KEY=VALUE]...

The space and the worth of its 72 members are those of `exhaustive.py` (tests/data/exhaustive_digits.csv: mean accuracy
on valid and test over the table's seeds). A training step is a batch that moves weights. ENAS trains the shared
weights, draws 40 architectures, ranks them by their shared score, trains the first four from scratch and takes the
best on valid; training each candidate costs 72 trainings.
Random search trains candidates until one is within 1 % of the best: its expected number is exact, (72 + 1) / (k + 1)
for k such members, and its stopping time is given. Printed beside it: the pick without the last trainings ("alone"),
places (1 is best), Kendall's tau between shared scores and the table, and CPU seconds.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import torch
from scipy.stats import kendalltau

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import exhaustive
from dlcli.config import build, compose
from dlcli.core.space import Architecture
from dlcli.engine.fit import evaluate
from dlcli.learners.gradient.derive import derive_architectures

SEARCH_STEPS, DRAWN, TRAINED, TIMES, GOAL = 54, 40, 4, 1, 10.0
SHARED = "learner.players.shared"
WORDS = (
    "task=digits",
    "model=shared_macro",
    "learner=enas",
    f"model.layers={exhaustive.LAYERS}",
    "task.labels=300",
    "task.batch=25",
    f"schedule@{SHARED}.schedule=cosine",
    f"{SHARED}.schedule.updates={7 * SEARCH_STEPS}",
    "device=cpu",
    "threads=1",
)


@dataclass(frozen=True)
class Found:
    """What one search found.

    Args:
        pick, alone: the architecture after and before the last trainings.
        place, alone_place: in the table, 1 is best.
        regret, alone_regret: what is missing to the best accuracy of the table.
        tau: Kendall's, between shared scores and the table, over all members.
        steps: training steps.
        seconds: of CPU, without those of `tau`.
    """

    seed: int
    pick: Architecture
    alone: Architecture
    place: int
    alone_place: int
    regret: float
    alone_regret: float
    tau: float
    steps: int
    seconds: float


def table(file: Path = exhaustive.FILE) -> dict[Architecture, float]:
    """Mean accuracy by architecture, over seeds and over valid and test."""
    values: dict[Architecture, list[float]] = {}
    for row in csv.DictReader(file.open()):
        architecture = tuple(map(int, row["architecture"].split("-")))
        values.setdefault(architecture, []).extend(float(row[f"{split}_accuracy"]) for split in ("valid", "test"))
    return {architecture: fmean(several) for architecture, several in values.items()}


def search(truth: dict[Architecture, float], seed: int, words: Sequence[str]) -> Found:
    """One search, judged."""
    begin = time.process_time()
    (point,) = compose.expand("train", [*WORDS, *words])
    built = build.build(point.resolved(seed), torch.device("cpu"))
    steps = sum(built.learner.step().counts["batches"] for _ in range(SEARCH_STEPS))
    ranked = [
        architecture for architecture, _ in derive_architectures(built.model, built.task, built.task.main, DRAWN, seed)
    ]
    finalists = {one: alone(one, seed) for one in ranked[:TRAINED]}
    pick = max(finalists, key=finalists.__getitem__)
    seconds = time.process_time() - begin
    shared = [evaluate(built.model.child(one), built.task, "valid")["accuracy"] for one in truth]
    order, best = sorted(truth, key=truth.__getitem__, reverse=True), max(truth.values())
    return Found(
        seed,
        pick,
        ranked[0],
        order.index(pick) + 1,
        order.index(ranked[0]) + 1,
        round(best - truth[pick], 4),
        round(best - truth[ranked[0]], 4),
        round(float(kendalltau(shared, list(truth.values())).statistic), 3),
        steps + len(finalists) * TIMES * exhaustive.STEPS,
        round(seconds, 1),
    )


def alone(architecture: Architecture, seed: int) -> float:
    """Accuracy on valid, the mean of several trainings with seeds that the table does not have."""
    seeds = range(1_000 + TIMES * seed, 1_000 + TIMES * (seed + 1))
    return fmean(float(exhaustive.train((), one, architecture)["valid_accuracy"]) for one in seeds)


def costs(truth: dict[Architecture, float], found: Sequence[Found]) -> dict[str, float]:
    """Training steps of the three, and how many times less than all candidates."""
    near = sum(value >= max(truth.values()) - 0.01 for value in truth.values())
    everything = len(truth) * exhaustive.STEPS
    random = exhaustive.STEPS * (len(truth) + 1) / (near + 1)
    enas = fmean(one.steps for one in found)
    return {
        "all_steps": everything,
        "random_steps": round(random),
        "enas_steps": round(enas),
        "random_ratio": round(everything / random, 1),
        "enas_ratio": round(everything / enas, 1),
        "goal": GOAL,
        "within_one_percent": sum(one.regret <= 0.01 for one in found) / len(found),
        "members_within_one_percent": near,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--seeds", default="0:3", help="first and one past the last (0:3)")
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    torch.set_num_threads(1)
    truth, first = table(), [int(number) for number in given.seeds.split(":")]
    found = [search(truth, seed, given.words) for seed in range(*first)]
    summary = costs(truth, found)
    if given.json:
        print(json.dumps({"torch": torch.__version__, "rows": [asdict(one) for one in found], **summary}, indent=2))
        return
    print(
        f"{'seed':>4}{'pick':>10}{'place':>7}{'regret':>8}{'alone':>10}{'place':>7}{'tau':>7}{'steps':>7}{'CPU s':>7}"
    )
    for one in found:
        print(
            f"{one.seed:>4}{'-'.join(map(str, one.pick)):>10}{one.place:>7}{one.regret:>8.3f}"
            f"{'-'.join(map(str, one.alone)):>10}{one.alone_place:>7}{one.tau:>7}{one.steps:>7}{one.seconds:>7}"
        )
    print("\n".join(f"{name}: {value}" for name, value in summary.items()))


if __name__ == "__main__":
    main()
