"""Gradient descent by one or more players on one model."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.learner import Row
from dlcli.core.task import Task
from dlcli.learners import parallel
from dlcli.learners.player import Player, Seat
from dlcli.learners.team import Alone, Team


class Gradient:
    """Each step lets every player update its own parameters in turn, `repeats` times, never another's.

    One player: supervised learning. Two: a critic and a generator, shared weights and a controller.

    Args:
        model: what is trained.
        task: batches and loss.
        players: who moves what, in order.
        seed: all draws are a function of (seed, player, update).
        precision: "float32", or mixed "bfloat16" or "float16".
        compile: compile the model's forward pass with torch.compile.
        devices: processes that share the rows of each batch; see `parallel.py`.
    """

    counters = ("updates", "batches", "samples")

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        *,
        players: Mapping[str, Player],
        seed: int,
        precision: str,
        compile: bool,
        devices: int = 1,
    ) -> None:
        if not players:
            raise UsageError("the gradient learner needs at least one player")
        self._model = model
        self._seats = {
            name: Seat(player, model, task, seed=(seed, number), precision=precision)
            for number, (name, player) in enumerate(players.items())
        }
        first = next(iter(self._seats.values()))
        parallel.check(devices, model, task, [player.split for player in players.values()], first.device)
        for seat in self._seats.values() if devices > 1 else ():
            _check_memory(seat)
        self.devices = devices
        self._team: Team = Alone()
        self._prefix = {name: f"{name}_" if len(players) > 1 else "" for name in players}
        if compile:
            model.compile()

    @property
    def model(self) -> nn.Module:
        return self._model

    def join(self, team: Team) -> None:
        """Work with others from now on, from the leader's state."""
        team.prepare(self._model)
        team.lead("load", self.state_dict())
        self._team = team
        for seat in self._seats.values():
            seat.team = team

    def step(self) -> Row:
        self._team.lead("step")
        if not self._model.training:
            self._model.train()
        values: dict[str, Tensor] = {}
        updates = batches = samples = 0
        for name, seat in self._seats.items():
            prefix, before = self._prefix[name], seat.batches
            for _ in range(seat.player.repeats):
                logged, rows = seat.update()
                updates, samples = updates + 1, samples + rows
            batches += seat.batches - before if seat.player.split == "train" else 0
            values |= {prefix + key: value for key, value in logged.items()} if prefix else logged
        return Row(values, {"updates": updates, "batches": batches, "samples": samples})

    def state_dict(self) -> dict[str, Any]:
        self._team.lead("state")
        return {
            "model": self._model.state_dict(),
            "players": {name: seat.state_dict() for name, seat in self._seats.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if set(state["players"]) != set(self._seats):
            raise Mismatch(f"the checkpoint's players are {', '.join(state['players'])}, not {', '.join(self._seats)}")
        try:
            self._model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise Mismatch(f"the checkpoint is another model's: {str(error).splitlines()[-1].strip()}") from None
        self._team.lead("load", dict(state))
        for name, seat in self._seats.items():
            seat.load_state_dict(state["players"][name])


def _check_memory(seat: Seat) -> None:
    """Raises Mismatch where an objective remembers what each process would remember differently."""
    if isinstance(seat.objective, nn.Module) and seat.objective.state_dict():
        raise Mismatch(f"{type(seat.objective).__name__} keeps a memory of its own: learner.devices=1")
