"""Requirements between task, model, objective and learner, checked before the first step."""

from inspect import get_annotations

from torch import nn

from dlcli.core.episode import PlayableTask
from dlcli.core.errors import Mismatch
from dlcli.core.task import SupervisedTask, Task


def check_requirements(user: object, model: nn.Module) -> None:
    """Check that the model has every member of the protocol `user.needs`; a user without `needs` accepts any model.

    Args:
        user: a task or an objective.
        model: the model that it is used with.

    Raises:
        Mismatch: a member is missing.
    """
    needs = getattr(user, "needs", None)
    if needs is None:
        return
    members = {name for base in needs.__mro__ for name in (*vars(base), *get_annotations(base))}
    required = sorted(name for name in members if not name.startswith("_"))
    # isinstance does not find sub-modules, which are not class attributes (Python 3.12)
    missing = [name for name in required if not hasattr(model, name)]
    if missing:
        raise Mismatch(
            "mismatch",
            subject=type(user).__name__,
            requirement=f"a model with {', '.join(required)}",
            got=type(model).__name__,
            hint=f"{type(model).__name__} lacks {', '.join(missing)}.",
        )


def require_loss(task: Task, user: str) -> SupervisedTask:
    """Return the task, typed as one with a loss.

    Args:
        task: any task.
        user: name of the class that minimizes the loss, for the message.

    Raises:
        Mismatch: the task has no loss.
    """
    if isinstance(task, SupervisedTask):
        return task
    hint = (
        f"{type(task).__name__} is an environment: use dlcli evolve, learner=dqn or learner=a2c."
        if isinstance(task, PlayableTask)
        else f"{type(task).__name__} leaves the loss to the objective: use objective=NAME."
    )
    raise Mismatch("mismatch", subject=user, requirement="a task with a loss", got=type(task).__name__, hint=hint)
