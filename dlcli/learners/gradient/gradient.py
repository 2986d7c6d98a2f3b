"""Gradient descent by one or more players on one model."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.learner import Row
from dlcli.core.task import Task
from dlcli.learners.closure import check_no_closure
from dlcli.learners.gradient import data_parallel
from dlcli.learners.gradient.average import Average
from dlcli.learners.gradient.player import Player, PlayerState
from dlcli.learners.gradient.process_group import ProcessGroup, SingleProcess


class Gradient:
    """Each step performs `repeats` updates of every player in turn; a player updates its own parameters only.

    One player: supervised learning. Two players: a critic and a generator, or shared weights and a controller.

    Args:
        model: module to train.
        task: batches and loss.
        players: players by name, in order.
        seed: random numbers are a function of (seed, player, update).
        precision: "float32", "float64", or mixed "bfloat16" or "float16".
        compile: compile the model's forward pass with torch.compile.
        devices: number of processes that share the rows of each batch; see `data_parallel.py`.
        average: decay in [0, 1) of an exponential moving average of the weights over the steps. The averaged weights
            are evaluated, saved as the best checkpoint and exported. None: no averaging.

    Raises:
        UsageError: there is no player, or an optimizer requires a closure.
    """

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
        average: float | None = None,
    ) -> None:
        if not players:
            raise UsageError("invalid_value", key="learner.players", must="at least one player", got={})
        self._model = model
        self._seats = {
            name: PlayerState(player, model, task, seed=(seed, number), precision=precision)
            for number, (name, player) in enumerate(players.items())
        }
        for seat in self._seats.values():
            check_no_closure(seat.optimizer)
        first = next(iter(self._seats.values()))
        data_parallel.check(devices, model, task, [player.split for player in players.values()], first.device)
        for seat in self._seats.values() if devices > 1 else ():
            data_parallel.check_memory(seat.objective)
        self.devices = devices
        trains = any(player.split == "train" for player in players.values())
        self.counters = ("updates", "batches", "samples") if trains else ("updates", "samples")
        self._average = None if average is None else Average(model, average)
        self._team: ProcessGroup = SingleProcess()
        self._prefix = {name: f"{name}_" if len(players) > 1 else "" for name in players}
        if compile:
            model.compile()

    @property
    def model(self) -> nn.Module:
        return self._model if self._average is None else self._average.model

    def join(self, team: ProcessGroup) -> None:
        """Share the work with other processes from now on, starting from the state of the leader."""
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
            for turn in range(seat.player.repeats):
                logged, rows = seat.update(turn)
                updates, samples = updates + 1, samples + rows
            if seat.player.split == "train":
                batches = max(batches, seat.batches - before)
            values |= {prefix + key: value for key, value in logged.items()} if prefix else logged
        if self._average is not None:
            self._average.update(self._model)
        counts = {"updates": updates, "batches": batches, "samples": samples}
        losses = tuple(f"{self._prefix[name]}loss" for name in self._seats)
        return Row(values, {name: counts[name] for name in self.counters}, optimized=losses)

    def state_dict(self) -> dict[str, Any]:
        self._team.lead("state")
        state = {
            "model": self._model.state_dict(),
            "players": {name: seat.state_dict() for name, seat in self._seats.items()},
        }
        return state if self._average is None else state | {"average": self._average.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if set(state["players"]) != set(self._seats):
            requirement = f"the players {', '.join(state['players'])}"
            raise Mismatch("mismatch", subject="the checkpoint", requirement=requirement, got=", ".join(self._seats))
        try:
            self._model.load_state_dict(state["model"])
            if self._average is not None:
                self._average.load_state_dict(state["average"])
        except RuntimeError as error:
            raise Mismatch("damaged", path="the checkpoint", problem=str(error).splitlines()[-1].strip()) from None
        self._team.lead("load", dict(state))
        for name, seat in self._seats.items():
            seat.load_state_dict(state["players"][name])
