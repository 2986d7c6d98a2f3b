"""The checks of the gate accept a learner without loss, gradient or parameters, and reject broken ones."""

import pytest
import torch
from helpers import gate
from torch import nn

from dlcli.config.build import Built
from dlcli.core.learner import Row
from dlcli.tasks.sequence.adding import Adding

TASK = Adding(length=8, batch=4, train=8, valid=8, test=8, order=0, data_seed=0)


class Mean(nn.Module):
    """Predict the mean of the targets seen so far: a buffer and no parameter."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x):
        return self.mean.expand(len(x), 1)


class Averaging:
    """Average the targets of one batch a step; the seed, if any, chooses the batch."""

    counters = ("updates",)

    def __init__(self, model, task, seed=None):
        self.model, self.task, self.seed, self.count = model, task, seed, 0

    def step(self):
        index = self.count if self.seed is None else (7 * self.seed + self.count) % 2
        target = self.task.batch("train", index).target.mean()
        self.count += 1
        self.model.mean += (target - self.model.mean) / self.count
        return Row({"energy": self.model.mean.clone()}, {"updates": 1})

    def state_dict(self):
        return {"count": self.count, "model": self.model.state_dict()}

    def load_state_dict(self, state):
        self.count = state["count"]
        self.model.load_state_dict(state["model"])


class Fixed(Averaging):
    """Count steps and train nothing."""

    counters = ("visits",)

    def step(self):
        self.count += 1
        return Row({}, {"visits": 1})


class Forgetful(Averaging):
    """Keep the number of steps out of the state."""

    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])


class Idle(Fixed):
    """Claim updates that change nothing."""

    counters = ("updates",)

    def step(self):
        super().step()
        return Row({}, {"updates": 1})


class Diverging(Averaging):
    """Log a value that is not finite."""

    def step(self):
        return Row({"energy": super().step().values["energy"] / 0}, {"updates": 1})


class Remembering(Mean):
    """Change a buffer whenever it is called, also while it is scored."""

    def forward(self, x):
        self.mean += 1
        return super().forward(x)


def subject(learner, model=Mean, seeds=False):
    def build(seed):
        module = model()
        return Built(TASK, module, learner(module, TASK, seed if seeds else None))

    return gate.run_subject(build, seeded=seeds)


CHECKS = (
    gate.check_finite,
    gate.check_changes,
    gate.check_other_seed,
    gate.check_same_seed_with_scoring,
    gate.check_resume,
)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("learner", "seeds"), [(Averaging, False), (Averaging, True), (Fixed, False)])
def test_gate_accepts_learner_without_loss(check, learner, seeds):
    check(subject(learner, seeds=seeds))


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        (gate.check_finite, {"learner": Diverging}),
        (gate.check_changes, {"learner": Idle}),
        (gate.check_other_seed, {"learner": Fixed, "seeds": True}),
        (gate.check_same_seed_with_scoring, {"learner": Averaging, "model": Remembering}),
        (gate.check_resume, {"learner": Forgetful}),
    ],
)
def test_gate_rejects(check, broken):
    rejected = subject(**broken)
    with pytest.raises(AssertionError):
        check(rejected)
