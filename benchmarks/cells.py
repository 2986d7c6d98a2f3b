"""What the recurrent cells cost: milliseconds of forward and backward, one layer, one thread.

    python benchmarks/cells.py

Decides how the written-out cells are run (eager, scripted or compiled steps) and how the linear recurrence is
(a loop with a gradient of its own, a loop left to autograd, or a log-step parallel scan). The best of nine is
printed.
"""

import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlcli.models.sequence import lstm_ablations, mut, sru
from dlcli.models.sequence.sru import scan
from dlcli.nn.recurrent.cells import UnrolledLayer
from dlcli.nn.recurrent.fused import FusedLayers
from dlcli.nn.recurrent.network import RecurrentLayer

BATCH, TIME, HIDDEN = 32, 200, 128


def milliseconds(run: Callable[[], Tensor]) -> float:
    """The best of nine forward and backward passes, after two that warm up."""
    best = float("inf")
    for trial in range(11):
        begin = time.perf_counter()
        run().sum().backward()
        best = min(best, time.perf_counter() - begin) if trial > 1 else best
    return best * 1e3


def reading(memory: RecurrentLayer) -> Callable[[], Tensor]:
    x = torch.randn(TIME, BATCH, HIDDEN)
    return lambda: memory(x, memory.start(BATCH))[0]


def compiled(cell: nn.Module) -> nn.Module:
    cell.step = torch.compile(cell.step)
    return cell


def scripted(cell: nn.Module) -> nn.Module:
    """The step of LSTM-i as TorchScript."""
    step = torch.jit.script(_step)
    cell.step = lambda now, state: step(now[0], state[0], state[1], cell.recurrent)
    return cell


def _step(now: Tensor, h: Tensor, c: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    f, o, g = torch.addmm(now, h, weight).chunk(3, 1)
    c = torch.addcmul(g.tanh(), f.sigmoid(), c)
    return o.sigmoid() * c.tanh(), c


def loop(decay: Tensor, x: Tensor, start: Tensor) -> Tensor:
    """c_t = decay_t c_{t-1} + x_t, its gradient left to autograd."""
    states = []
    for by, add in zip(decay.unbind(), x.unbind(), strict=True):
        start = torch.addcmul(add, by, start)
        states.append(start)
    return torch.stack(states)


def log_step(decay: Tensor, x: Tensor, start: Tensor) -> Tensor:
    """The same in log2(time) passes over the whole sequence (Hillis & Steele 1986)."""
    x = torch.cat((torch.addcmul(x[:1], decay[:1], start), x[1:]))
    reach = 1
    while reach < len(x):
        x = torch.cat((x[:reach], torch.addcmul(x[reach:], decay[reach:], x[:-reach])))
        decay = torch.cat((decay[:reach], decay[reach:] * decay[:-reach]))
        reach *= 2
    return x


def scanning(how: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[], Tensor]:
    decay = torch.rand(TIME, BATCH, HIDDEN, requires_grad=True)
    x = torch.randn(TIME, BATCH, HIDDEN, requires_grad=True)
    start = torch.zeros(BATCH, HIDDEN)
    return lambda: how(decay, x, start)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    sizes = (HIDDEN, HIDDEN)
    without_input_gate = lstm_ablations._WithoutInputGate
    arms = {kind.__name__: reading(FusedLayers(kind(*sizes))) for kind in (nn.LSTM, nn.GRU, nn.RNN)} | {
        "LSTM-i, eager": reading(UnrolledLayer(without_input_gate(*sizes))),
        "LSTM-i, jit.script": reading(UnrolledLayer(scripted(without_input_gate(*sizes)))),
        "LSTM-i, torch.compile": reading(UnrolledLayer(compiled(without_input_gate(*sizes)))),
        "LSTM-f, eager": reading(UnrolledLayer(lstm_ablations._WithoutForgetGate(*sizes))),
        "LSTM-o, eager": reading(UnrolledLayer(lstm_ablations._WithoutOutputGate(*sizes))),
        "MUT1, eager": reading(UnrolledLayer(mut._MUT1Cell(*sizes))),
        "MUT2, eager": reading(UnrolledLayer(mut._MUT2Cell(*sizes))),
        "MUT3, eager": reading(UnrolledLayer(mut._MUT3Cell(*sizes))),
        "MUT1, torch.compile": reading(UnrolledLayer(compiled(mut._MUT1Cell(*sizes)))),
        "SRU": reading(sru._Layer(*sizes)),
        "scan, loop with its own gradient": scanning(scan),
        "scan, loop": scanning(loop),
        "scan, log-step": scanning(log_step),
    }
    print(f"batch {BATCH}, time {TIME}, hidden {HIDDEN}, torch {torch.__version__}, 1 thread")
    for name, run in arms.items():
        print(f"{name:34s} {milliseconds(run):8.1f} ms")


if __name__ == "__main__":
    main()
