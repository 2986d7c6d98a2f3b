"""Gymnasium: spaces as policies see them, episodes by their seeds, one by one and vectorised alike, failures alone."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

gymnasium = pytest.importorskip("gymnasium")
from gymnasium import spaces  # noqa: E402
from helpers.errors import usage_error  # noqa: E402

from dlcli.core.errors import Missing  # noqa: E402
from dlcli.core.population import FitnessTask, PolicyPopulation, Renderable  # noqa: E402
from dlcli.core.spec import Classes, Real  # noqa: E402
from dlcli.tasks.control.episode_loop import play_episodes  # noqa: E402
from dlcli.tasks.control.gymnasium.environments import Gymnasium  # noqa: E402
from dlcli.tasks.control.gymnasium.rows import SequentialRows  # noqa: E402
from dlcli.tasks.control.gymnasium.spaces import action_decoder, observation_encoder  # noqa: E402
from dlcli.tasks.control.gymnasium.vectorized import VectorizedRows  # noqa: E402

SIZES = {"episodes": 1, "valid_episodes": 4, "test_episodes": 6, "lanes": 4}


class Moody(gymnasium.Env):
    """Sees (uniform number of its seed, step); ends after 5 steps; reward is the action. Its temper is a test's."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = spaces.Discrete(3, start=5)
    metadata: dict = {"render_modes": []}  # noqa: RUF012
    temper = "calm"

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.start, self.time = self.np_random.random(), 0
        return self._see(), {}

    def step(self, action):
        assert action in (5, 6, 7)
        self.time += 1
        reward = float(action)
        if self.time == 3 and action == 7:
            if self.temper == "raises":
                raise RuntimeError("out of order")
            if self.temper == "nan":
                reward = float("nan")
            if self.temper == "blind":
                return np.array([np.nan, 0], np.float32), reward, False, False, {}
        return self._see(), reward, self.time == 5, False, {}

    def _see(self):
        return np.array([self.start, self.time], np.float32)


class Drawn(Moody):
    """Moody with pictures."""

    metadata: dict = {"render_modes": ["rgb_array"], "render_fps": 7}  # noqa: RUF012

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def render(self):
        return np.full((4, 6, 3), self.time, np.uint8)


class Handed(Moody):
    """Real actions: the reward is their sum."""

    action_space = spaces.Box(np.array([-1, 0], np.float32), np.array([1, 3], np.float32))

    def step(self, action):
        assert self.action_space.contains(action)
        self.time += 1
        return self._see(), float(action.sum()), self.time == 2, False, {}


@pytest.fixture(autouse=True)
def ids():
    for name, kind in (("Moody-v0", Moody), ("Drawn-v0", Drawn), ("Handed-v0", Handed)):
        gymnasium.register(name, entry_point=kind)
    yield
    for name in ("Moody-v0", "Drawn-v0", "Handed-v0"):
        gymnasium.registry.pop(name)


class Constant(nn.Module):
    """The same answer whatever it sees."""

    def __init__(self, units):
        super().__init__()
        self.output = nn.Parameter(torch.zeros(units))

    def forward(self, x):
        return self.output.expand(len(x), -1)


class Linear(nn.Module):
    """Elementwise products and a sum, so that an answer does not depend on who else asks."""

    def __init__(self, inputs, units):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(units, inputs))

    def forward(self, x):
        return (x[:, None] * self.weight).sum(-1)


def task(name, **more):
    return Gymnasium(**({"id": name, "options": {}, "limit": 10_000} | SIZES | more))


def test_cartpole_is_played_vectorised_and_moody_one_by_one():
    seeds = torch.arange(2)
    assert isinstance(task("CartPole-v1").simulate(seeds), VectorizedRows)
    assert isinstance(task("Moody-v0").simulate(seeds), SequentialRows)
    assert isinstance(task("CartPole-v1"), FitnessTask)
    assert isinstance(task("CartPole-v1"), Renderable)


@pytest.mark.parametrize("options", [{}, {"max_episode_steps": 60}, {"sutton_barto_reward": True}], ids=str)
def test_both_simulators_play_the_same_episodes_to_the_bit(options):
    cartpole = task("CartPole-v1", options=options)
    random = torch.Generator().manual_seed(0)
    weights = {"weight": torch.randn(30, 2, 4, generator=random)}
    weights["weight"][:10] = torch.tensor([[-0.1, -0.3, -1.0, -1.0], [0.1, 0.3, 1.0, 1.0]])  # these balance for long
    seeds = torch.tensor([5, 1 << 40, 77])
    results = []
    for kind in (True, False):
        simulator = cartpole.simulate(seeds.repeat(30))
        if not kind:
            simulator = SequentialRows(cartpole._pool, cartpole._encode, cartpole._decode, seeds.repeat(30))
        with torch.inference_mode():
            results.append(play_episodes(simulator, PolicyPopulation(Linear(4, 2), weights, 3), 30, 3))
    fast, slow = results
    assert int(slow.steps.max()) >= 60
    assert torch.equal(fast.steps, slow.steps)
    assert torch.equal(fast.total, slow.total)
    assert torch.equal(fast.behaviour, slow.behaviour)


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1"])
def test_an_episode_is_a_function_of_its_seed_whoever_plays_beside_it(name):
    environment = task(name, options={"max_episode_steps": 30}, episodes=2)
    units, inputs = environment.spec.target.width, environment.spec.inputs[0].width
    weights = torch.randn(9, units, inputs, generator=torch.Generator().manual_seed(3))
    batches = [environment.batch("train", index) for index in (0, 4)]
    model = Linear(inputs, units)
    together = environment.rate(model, {"weight": weights}, batches)
    for who in torch.arange(9).split(2):
        part = environment.rate(model, {"weight": weights[who]}, batches)
        assert torch.equal(part.fitness, together.fitness[who])
        assert torch.equal(part.behaviour, together.behaviour[who])
        assert torch.equal(part.cost, together.cost[who])


def test_an_episode_is_what_the_environment_plays_by_itself():
    cartpole, model = task("CartPole-v1"), Linear(4, 2)
    model.weight.data = torch.tensor([[0.0, -1.0, -2.0, -1.0], [0.0, 1.0, 2.0, 1.0]])
    batch = cartpole.batch("test", 1)
    assert batch.index.tolist() == [4, 5]
    values = cartpole.metrics(model, batch).values
    single = gymnasium.make("CartPole-v1")
    for row, seed in enumerate(batch.index.tolist()):
        seen, total, over = single.reset(seed=seed)[0], 0.0, False
        while not over:
            seen, reward, ended, cut, _ = single.step(int(model(torch.from_numpy(seen)[None]).argmax()))
            total, over = total + reward, ended or cut
        assert float(values["return"].total[row]) == total == float(values["length"].total[row])
    assert values["failed"].total.tolist() == [0, 0]


def test_actions_begin_where_the_space_begins_and_behaviour_is_the_last_observation():
    moody = task("Moody-v0")
    outputs = {"output": torch.eye(3)}
    rating = moody.rate(Constant(3), outputs, [moody.batch("train", 0)])
    assert rating.fitness.tolist() == [25, 30, 35]
    assert rating.cost.tolist() == [5, 5, 5]
    assert rating.behaviour[:, 1].tolist() == [5, 5, 5]
    assert rating.behaviour[:, 0].unique().numel() == 1  # one seed, one start


def test_real_actions_are_clipped_to_their_bounds():
    handed = task("Handed-v0")
    assert handed.spec.target == Real((2,))
    outputs = {"output": torch.tensor([[0.5, 2.0], [-9.0, 9.0]])}
    assert handed.rate(Constant(2), outputs, [handed.batch("train", 0)]).fitness.tolist() == [5, 4]


@pytest.mark.parametrize("temper", ["raises", "nan", "blind"])
@pytest.mark.filterwarnings("ignore:an episode of Moody-v0 failed")
def test_an_environment_that_fails_fails_that_individual_alone(temper, monkeypatch):
    monkeypatch.setattr(Moody, "temper", temper)
    moody = task("Moody-v0")
    outputs = {"output": torch.eye(3)}
    rating = moody.rate(Constant(3), outputs, [moody.batch("train", 0)])
    assert rating.fitness[:2].tolist() == [25, 30]
    assert bool(rating.fitness[2].isnan())
    assert rating.cost.tolist() == [5, 5, 3]
    assert bool(rating.behaviour.isfinite().all())
    model = Constant(3)
    model.output.data[2] = 1.0
    assert moody.metrics(model, moody.batch("valid", 0)).values["failed"].total.tolist() == [1, 1, 1, 1]


def test_an_environment_that_raises_says_so_once(monkeypatch, caplog):
    monkeypatch.setattr(Moody, "temper", "raises")
    moody = task("Moody-v0")
    with caplog.at_level("INFO", logger="dlcli"):
        for _ in range(2):
            moody.rate(Constant(3), {"output": torch.eye(3)}, [moody.batch("train", 0)])
    assert [record.getMessage() for record in caplog.records] == [
        "an episode of Moody-v0 failed: RuntimeError: out of order"
    ]


def test_an_environment_without_a_limit_is_cut_off():
    endless = task("Moody-v0", limit=3)
    outputs = {"output": torch.eye(3)[1:2]}
    assert gymnasium.spec("Moody-v0").max_episode_steps is None
    assert endless.rate(Constant(3), outputs, [endless.batch("train", 0)]).cost.tolist() == [3]


@pytest.mark.parametrize("name", ["Moody-v0", "CartPole-v1"])
def test_a_policy_that_answers_nan_fails(name):
    environment = task(name)
    outputs = torch.zeros(3, environment.spec.target.width)
    outputs[1] = torch.nan
    rating = environment.rate(Constant(outputs.shape[1]), {"output": outputs}, [environment.batch("train", 0)])
    assert rating.fitness.isnan().tolist() == [False, True, False]
    assert int(rating.cost[1]) == 1


def test_observations_as_policies_see_them():
    box = observation_encoder(spaces.Box(-1, 1, (3, 2)), "X")
    assert box.part == Real((3, 2))
    assert box([np.ones((3, 2), np.float64)] * 4).shape == (4, 3, 2)
    scalar = observation_encoder(spaces.Box(-1, 1, ()), "X")
    assert scalar.part == Real((1,))
    assert scalar([np.float32(0.5), np.float32(1)]).tolist() == [[0.5], [1.0]]
    number = observation_encoder(spaces.Discrete(3, start=4), "X")
    assert number.part == Real((3,))
    assert number([4, 6]).tolist() == [[1, 0, 0], [0, 0, 1]]
    picture = observation_encoder(spaces.Box(0, 255, (5, 7, 3), np.uint8), "X")
    assert picture.part == Real((3, 5, 7))
    image = np.zeros((5, 7, 3), np.uint8)
    image[2, 6, 1] = 255
    assert float(picture([image])[0, 1, 2, 6]) == 1
    assert float(picture([image]).sum()) == 1
    frames = observation_encoder(spaces.Box(0, 255, (4, 84, 84), np.uint8), "X")
    assert frames.part == Real((4, 84, 84))
    memory = observation_encoder(spaces.Box(0, 255, (128,), np.uint8), "X")
    assert memory([np.full(128, 51, np.uint8)]).unique().tolist() == pytest.approx([0.2])
    bits = observation_encoder(spaces.MultiBinary(2), "X")
    assert bits([np.array([0, 1], np.int8)]).tolist() == [[0, 1]]


def test_actions_as_policies_give_them():
    choice = action_decoder(spaces.Discrete(3, start=-1), "X")
    assert choice.part == Classes(3)
    assert choice(torch.eye(3)).tolist() == [-1, 0, 1]
    values = action_decoder(spaces.Box(-2, 2, (2, 1)), "X")
    assert values.part == Real((2,))
    assert values(torch.tensor([[-3.0, 0.5]])).tolist() == [[[-2.0], [0.5]]]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CartPol-v1", {"code": "unknown_name", "name": "CartPol-v1"}),
        ("CartPole-v7", {"code": "unknown_name", "name": "CartPole-v7"}),
        ("Blackjack-v1", {"code": "mismatch", "subject": "a policy", "got": "a Tuple from Blackjack-v1"}),
    ],
)
def test_what_no_policy_can_play_is_refused_in_a_sentence(name, words):
    with usage_error(**words):
        task(name)


def test_an_action_that_is_no_choice_and_an_unknown_keyword_are_refused():
    with usage_error("mismatch", subject="a policy", got="a MultiDiscrete from X"):
        action_decoder(spaces.MultiDiscrete([2, 2]), "X")
    with usage_error("invalid_data", path="task.id=CartPole-v1"):
        task("CartPole-v1", options={"foo": 1})
    with usage_error("missing_package", kind=Missing, feature="task.id=no_such_module:Foo-v0"):
        task("no_such_module:Foo-v0")


def test_without_gymnasium_the_message_is_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "dlcli.tasks.control.gymnasium.environments")
    with usage_error("missing_package", kind=Missing, feature="task=gymnasium"):
        import dlcli.tasks.control.gymnasium.environments  # noqa: F401


def test_a_film_is_what_the_environment_draws():
    film, rate = task("Drawn-v0").frames(Constant(3), 0)
    assert film.dtype == torch.uint8
    assert film[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert rate == 7
    with usage_error("unsupported", subject="Moody-v0", feature="render_mode=rgb_array"):
        task("Moody-v0").frames(Constant(3), 0)


def test_what_the_environment_needs_to_draw_is_named(monkeypatch):
    def missing(self):
        raise gymnasium.error.DependencyNotInstalled("pip install paint")

    monkeypatch.setattr(Drawn, "render", missing)
    with usage_error("missing_package", kind=Missing, feature="rendering Drawn-v0"):
        task("Drawn-v0").frames(Constant(3), 0)
