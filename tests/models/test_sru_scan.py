"""Linear recurrence and its gradient."""

import torch

from dlcli.models.sequence.sru import scan


def problem(time, dtype=torch.float64):
    torch.manual_seed(0)
    decay, x = torch.rand(time, 2, 3, dtype=dtype), torch.randn(time, 2, 3, dtype=dtype)
    return tuple(part.requires_grad_() for part in (decay, x, torch.randn(2, 3, dtype=dtype)))


def naive(decay, x, c):
    states = []
    for t in range(len(x)):
        c = decay[t] * c + x[t]
        states.append(c)
    return torch.stack(states)


def test_scan_matches_loop_and_its_gradient():
    for time in (1, 2, 7):
        given = problem(time)
        weights = torch.randn(time, 2, 3, dtype=torch.float64)
        torch.testing.assert_close(scan(*given), naive(*given))
        ours = torch.autograd.grad((scan(*given) * weights).sum(), given)
        theirs = torch.autograd.grad((naive(*given) * weights).sum(), given)
        torch.testing.assert_close(ours, theirs)


def test_scan_gradcheck():
    assert torch.autograd.gradcheck(scan, problem(5))


def test_scan_accepts_any_strides():
    decay, x, start = (part.detach() for part in problem(6))
    turned = tuple(part.transpose(0, 2).contiguous().transpose(0, 2).requires_grad_() for part in (decay, x))
    torch.testing.assert_close(scan(*turned, start), naive(decay, x, start))
    assert torch.autograd.gradcheck(scan, (*turned, start.requires_grad_()))


def test_scan_of_constant_decay_is_geometric_series():
    decay, ones = torch.full((8, 1, 1), 0.5, dtype=torch.float64), torch.ones(8, 1, 1, dtype=torch.float64)
    wanted = 2 - 0.5 ** torch.arange(8, dtype=torch.float64)
    torch.testing.assert_close(scan(decay, ones, torch.zeros(1, 1, dtype=torch.float64)).flatten(), wanted)


def test_scan_accumulates_in_precision_of_start():
    decay, x, start = (part.detach() for part in problem(4, torch.float32))
    states = scan(decay.bfloat16(), x.bfloat16(), start)
    assert states.dtype == torch.float32
    torch.testing.assert_close(states, naive(decay.bfloat16().float(), x.bfloat16().float(), start))
