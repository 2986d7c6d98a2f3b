"""Gradient descent by players: each moves its own parameters, as its rule says, and goes on exactly."""

import io
from typing import ClassVar, Protocol, runtime_checkable

import pytest
import torch
import torch.nn.functional as F
from helpers.errors import usage_error
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.metric import Goal
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Batch, Loss, Metrics, Score, call
from dlcli.learners.gradient.gradient import Gradient
from dlcli.learners.gradient.player import Player
from dlcli.learners.gradient.schedule import Constant, Plateau, Step


class Lines:
    """Four-vectors in rows of `rows`, the target their sum; consecutive batches are one stream of 3 batches."""

    spec = Spec((Real((4,)),), Real((1,)))
    main = Goal("mse", "min")
    fitted: ClassVar = {}

    def __init__(self, rows=4, stream=False):
        self.rows, self.stream = rows, stream
        self.x = torch.randn(240, 4, generator=torch.Generator().manual_seed(0))
        self.firsts = []

    def size(self, split):
        return 240 // self.rows if split == "train" else 2

    def batch(self, split, index):
        index = index % self.size("train")
        x = self.x[index * self.rows : (index + 1) * self.rows]
        first = torch.full((len(x),), index % 3 == 0)
        return Batch((x,), x.sum(1, keepdim=True), first, index, 0, torch.arange(len(x)))

    def loss(self, model, batch, carry=None):
        output, after = call(model, batch, carry) if self.stream else (model(*batch.inputs), None)
        return Loss(F.mse_loss(output, batch.target), {}, float(len(batch)), after)

    def metrics(self, model, batch, carry=None):
        error = (model(*batch.inputs) - batch.target).square()[:, 0]
        return Metrics({"mse": Score(error, torch.ones_like(error))})

    def summary(self, means):
        return {}

    def to(self, device):
        return self


class Two(nn.Module):
    """A critic and a generator, and a parameter that nothing uses."""

    def __init__(self):
        super().__init__()
        self.critic, self.generator, self.idle = nn.Linear(4, 1), nn.Linear(4, 4), nn.Linear(2, 2)

    def forward(self, x):
        return self.critic(self.generator(x))


class Supervised:
    def __init__(self, task):
        self.task = task

    def __call__(self, model, batch, carry=None):
        return self.task.loss(model, batch, carry)


def sgd(**other):
    return lambda parameters: torch.optim.SGD(parameters, **({"lr": 0.1} | other))


def player(**other):
    usual = {
        "objective": Supervised, "optimizer": sgd(), "schedule": Constant(), "parts": None, "split": "train",
        "repeats": 1, "accumulate": 1, "clip": None,
    }  # fmt: skip
    return Player(**(usual | other))


def gradient(net, task=None, /, *, precision="float32", compile=False, seed=0, **players):
    return Gradient(net, task or Lines(), players=players, seed=seed, precision=precision, compile=compile)


def linear(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(4, 1)


def two(seed=0):
    torch.manual_seed(seed)
    return Two()


def weights(model):
    return torch.cat([value.detach().flatten().clone() for value in model.parameters()])


def through_file(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def test_one_update_is_plain_gradient_descent():
    model, task = linear(), Lines()
    x, target = task.batch("train", 0).inputs[0], task.batch("train", 0).target
    gap = (model(x) - target).detach()
    expected = model.weight.detach() - 0.1 * (2 * gap * x).mean(0)
    row = gradient(model, task, model=player()).step()
    assert torch.allclose(model.weight, expected, atol=1e-6)
    assert float(row.values["loss"]) == pytest.approx(float(gap.square().mean()), rel=1e-6)
    assert row.counts == {"updates": 1, "batches": 1, "samples": 4}


def test_rows_are_tensors_without_a_graph():
    row = gradient(linear(), model=player(clip=1.0)).step()
    assert set(row.values) == {"loss", "gradient_norm", "rate"}
    for value in row.values.values():
        assert value.dim() == 0
        assert not value.requires_grad


def test_accumulating_k_batches_is_one_batch_of_k_times_the_rows():
    small, large = linear(), linear()
    some = gradient(small, Lines(4), model=player(accumulate=5))
    once = gradient(large, Lines(20), model=player())
    for _ in range(3):
        one, other = some.step(), once.step()
        assert float(one.values["loss"]) == pytest.approx(float(other.values["loss"]), rel=1e-5)
    assert torch.allclose(weights(small), weights(large), atol=1e-6)
    assert one.counts == {"updates": 1, "batches": 5, "samples": 20}


def test_accumulating_uneven_batches_weights_their_units():
    class Uneven(Lines):
        def batch(self, split, index):
            rows = slice(0, 6) if index == 0 else slice(6, 8)
            x = self.x[rows]
            return Batch((x,), x.sum(1, keepdim=True), torch.ones(len(x)) > 0, index, 0, torch.arange(len(x)))

    some, whole = linear(), linear()
    gradient(some, Uneven(), model=player(accumulate=2)).step()
    gradient(whole, Lines(8), model=player()).step()
    assert torch.allclose(weights(some), weights(whole), atol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_what_the_loss_does_not_use_stays_as_it_is(accumulate):
    model = two()
    before = weights(model.idle)
    gradient(model, model=player(accumulate=accumulate, optimizer=sgd(weight_decay=0.5))).step()
    assert torch.equal(weights(model.idle), before)


def test_clipping_makes_the_gradient_as_long_as_clip():
    free, clipped = linear(), linear()
    start = weights(free)
    norm = gradient(clipped, model=player(clip=0.01, optimizer=sgd(lr=1.0))).step().values["gradient_norm"]
    gradient(free, model=player(optimizer=sgd(lr=1.0))).step()
    moved, would = weights(clipped) - start, weights(free) - start
    assert moved.norm() == pytest.approx(0.01, rel=1e-3)
    assert float(norm) == pytest.approx(float(would.norm()), rel=1e-4)
    assert torch.allclose(moved / moved.norm(), would / would.norm(), atol=1e-4)


def test_a_short_gradient_is_not_made_longer():
    free, clipped = linear(), linear()
    gradient(free, model=player()).step()
    gradient(clipped, model=player(clip=1e6)).step()
    assert torch.equal(weights(free), weights(clipped))


def test_the_schedule_sets_the_rate_and_does_not_pile_up():
    learner = gradient(linear(), model=player(schedule=Step(every=2, gamma=0.1), optimizer=sgd(lr=0.5)))
    rates = [float(learner.step().values["rate"]) for _ in range(6)]
    assert rates == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.005, 0.005])


class Fooling:
    """The generator's loss: the critic's output on what it made, to be made large."""

    def __init__(self, task):
        pass

    def __call__(self, model, batch, carry=None):
        value = -model(*batch.inputs).mean()
        return Loss(value, {"fooled": value.detach()}, float(len(batch)))


def test_two_players_move_their_own_parts_only():
    model = two()
    learner = gradient(
        model,
        critic=player(parts=["critic"], repeats=3),
        generator=player(parts=["generator"], objective=Fooling, split="valid"),
    )
    start = {name: weights(part) for name, part in model.named_children()}
    critic, generator = learner._seats.values()
    critic.update()
    assert torch.equal(weights(model.generator), start["generator"])
    after = weights(model.critic)
    assert not torch.equal(after, start["critic"])
    generator.update()
    assert torch.equal(weights(model.critic), after)
    assert not torch.equal(weights(model.generator), start["generator"])
    row = learner.step()
    assert row.counts == {"updates": 4, "batches": 3, "samples": 16}
    assert set(row.values) == {"critic_loss", "critic_rate", "generator_loss", "generator_fooled", "generator_rate"}
    assert torch.equal(weights(model.idle), start["idle"])


def test_a_part_is_a_whole_name():
    model = nn.ModuleDict({"critic": nn.Linear(4, 1), "critic_two": nn.Linear(4, 1)})
    seats = gradient(model, model=player(parts=["critic"]))._seats
    assert sum(value.numel() for value in seats["model"].parameters) == 5


class Summing(nn.Module):
    """Its state is the sum of its inputs since the stream began."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.begun = []

    def start(self, batch):
        return torch.zeros(batch, 1)

    def forward(self, x, carry=None):
        self.begun.append(carry)
        total = x.sum(1, keepdim=True) + (0 if carry is None else carry)
        return total * self.weight if carry is None else (total * self.weight, total)


def test_the_carry_goes_on_and_is_reset_at_first():
    model, task = Summing(), Lines(stream=True)
    learner = gradient(model, task, model=player(optimizer=sgd(lr=0.0)))
    for _ in range(7):
        learner.step()
    sums = [task.batch("train", index).target for index in range(7)]
    expected = [0 * sums[0], sums[0], sums[0] + sums[1], 0 * sums[0], sums[3], sums[3] + sums[4], 0 * sums[0]]
    for begun, wanted in zip(model.begun, expected, strict=True):
        assert torch.allclose(begun, wanted, atol=1e-5)


@pytest.mark.parametrize("cut", range(1, 8))
@pytest.mark.parametrize("stream", [True, False])
def test_going_on_from_the_state_is_never_having_stopped(cut, stream):
    def make():
        model = Summing() if stream else nn.Sequential(linear(), nn.Dropout(0.5))
        schedule = Plateau(every=2, window=1, after=0, gamma=0.5)
        adam = lambda parameters: torch.optim.Adam(parameters, lr=0.1)  # noqa: E731
        return gradient(
            model,
            Lines(stream=stream),
            seed=3,
            model=player(clip=1.0, schedule=schedule, optimizer=adam, accumulate=2),
        )

    whole = make()
    rows = [whole.step().values for _ in range(8)]
    first, second = make(), make()
    for _ in range(cut):
        first.step()
    second.load_state_dict(through_file(first.state_dict()))
    for step in range(cut, 8):
        found = second.step().values
        assert {name: float(value) for name, value in found.items()} == {k: float(v) for k, v in rows[step].items()}
    assert torch.equal(weights(second.model), weights(whole.model))


def test_draws_are_a_function_of_seed_player_and_update():
    def losses(seed, disturb=False):
        learner = gradient(nn.Sequential(nn.Dropout(0.5), linear()), seed=seed, model=player(optimizer=sgd(lr=0.0)))
        found = []
        for step in range(4):
            if disturb:
                torch.manual_seed(step)
            found.append(float(learner.step().values["loss"]))
        return found

    assert losses(1) == losses(1, disturb=True)
    assert losses(1) != losses(2)
    assert len(set(losses(1))) == 4


def test_a_schedule_that_looks_at_valid_does_not_change_what_dropout_draws():
    class Looking(Plateau):
        def factor(self, update):
            return 1.0

    def trained(schedule):
        model = nn.Sequential(nn.Dropout(0.5), linear())
        learner = gradient(model, model=player(schedule=schedule))
        for _ in range(6):
            learner.step()
        return weights(model)

    assert torch.equal(trained(Constant()), trained(Looking(every=1, window=1, after=0, gamma=0.5)))


class Baseline(nn.Module):
    """An objective with memory: it counts its calls in a buffer."""

    def __init__(self, task):
        super().__init__()
        self.task = task
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, model, batch, carry=None):
        self.calls += 1
        return self.task.loss(model, batch, carry)


def test_an_objectives_memory_is_saved():
    one, other = (gradient(linear(), model=player(objective=Baseline)) for _ in range(2))
    for _ in range(3):
        one.step()
    other.load_state_dict(through_file(one.state_dict()))
    assert float(other._seats["model"].objective.calls) == 3


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_mixed_precision_descends(precision, accumulate):
    model, seen = linear(), set()
    model.register_forward_hook(lambda module, given, output: seen.add(output.dtype))
    learner = gradient(model, precision=precision, model=player(accumulate=accumulate, clip=5.0))
    losses = [float(learner.step().values["loss"]) for _ in range(60)]
    assert seen == {getattr(torch, precision)}
    assert model.weight.dtype == torch.float32
    assert losses[-1] < 0.01 * losses[0]


def test_bfloat16_is_near_full_precision_and_not_equal():
    full, mixed = linear(), linear()
    gradient(full, model=player()).step(), gradient(mixed, precision="bfloat16", model=player()).step()
    assert torch.allclose(weights(mixed), weights(full), atol=0.02)
    assert not torch.equal(weights(mixed), weights(full))


def test_float16_leaves_out_an_update_that_overflows_and_remembers_its_scale():
    class Steep(Supervised):
        def __call__(self, model, batch, carry=None):
            loss = super().__call__(model, batch, carry)
            return Loss(loss.value * 1e4, {}, loss.weight)

    model = linear()
    before = weights(model)
    learner = gradient(model, precision="float16", model=player(objective=Steep))
    learner.step()
    assert torch.equal(weights(model), before)
    other = gradient(linear(), precision="float16", model=player(objective=Steep))
    other.load_state_dict(through_file(learner.state_dict()))
    assert other._seats["model"].scaler.get_scale() == 32768


def test_compiled_is_the_same_function():
    plain, compiled = linear(), linear()
    learner = gradient(compiled, compile=True, model=player())
    reference = gradient(plain, model=player())
    for _ in range(2):
        try:
            learner.step()
        except torch._dynamo.exc.BackendCompilerFailed as error:  # pragma: no cover - depends on the machine
            pytest.skip(f"no compiler here: {str(error).splitlines()[0]}")
        reference.step()
    assert compiled._compiled_call_impl is not None
    assert list(learner.state_dict()["model"]) == ["weight", "bias"]
    assert torch.allclose(weights(compiled), weights(plain), atol=1e-5)


def test_a_checkpoint_of_another_is_a_mismatch():
    state = gradient(linear(), model=player()).state_dict()
    with usage_error("damaged", kind=Mismatch, path="the checkpoint"):
        gradient(nn.Linear(4, 2), model=player()).load_state_dict(state)
    with usage_error("mismatch", kind=Mismatch, subject="the checkpoint", got="critic, generator"):
        gradient(two(), critic=player(), generator=player()).load_state_dict(state)


class Critical:
    """Asks for a critic."""

    @runtime_checkable
    class needs(Protocol):
        critic: nn.Module

        def pairs(self): ...

    def __init__(self, task):
        pass

    def __call__(self, model, batch, carry=None):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: player(repeats=0),
            UsageError,
            {"code": "invalid_value", "key": "learner.players.*.repeats", "got": 0},
        ),
        (
            lambda: player(accumulate=0),
            UsageError,
            {"code": "invalid_value", "key": "learner.players.*.accumulate", "got": 0},
        ),
        (lambda: player(clip=0.0), UsageError, {"code": "invalid_value", "key": "learner.players.*.clip", "got": 0.0}),
        (
            lambda: player(clip=float("nan")),
            UsageError,
            {"code": "invalid_value", "key": "learner.players.*.clip"},
        ),
        (
            lambda: player(split="test"),
            UsageError,
            {"code": "invalid_value", "key": "learner.players.*.split", "got": "test"},
        ),
        (lambda: gradient(linear()), UsageError, {"code": "invalid_value", "key": "learner.players", "got": "{}"}),
        (lambda: gradient(linear(), model=player(parts=["head"])), Mismatch, {"code": "not_found", "name": "head"}),
        (
            lambda: gradient(linear(), model=player(parts=[])),
            Mismatch,
            {"code": "mismatch", "subject": "gradient descent", "got": "Linear"},
        ),
        (
            lambda: gradient(nn.Identity(), model=player()),
            Mismatch,
            {"code": "mismatch", "subject": "gradient descent", "got": "Identity"},
        ),
        (
            lambda: gradient(linear(), precision="int8", model=player()),
            UsageError,
            {"code": "invalid_value", "key": "precision", "got": "int8"},
        ),
        (
            lambda: gradient(linear(), model=player(objective=Critical)),
            Mismatch,
            {"code": "mismatch", "subject": "Critical", "got": "Linear"},
        ),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_step(make, error, words):
    with usage_error(**words):
        make()
