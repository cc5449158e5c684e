"""What of Optuna is used: samplers, pruners, the journal, and how a parameter is suggested."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cnndsl.source import UserError
from cnndsl.space import Choices, Parameter, Value
from cnndsl.study.as_written import as_written
from cnndsl.study.plan import Plan

_LEARNING = ("tpe", "nsga2")
_POPULATION = 16  # candidates of a generation of NSGA-II
_DIGITS = 4  # of values of a dense range
NAME = "cnndsl"


def optuna() -> Any:
    """The module; UserError where it is not installed."""
    try:
        module: Any = import_module("optuna")
    except ImportError:
        raise UserError("a search needs Optuna\n  pip install optuna") from None
    module.logging.set_verbosity(module.logging.WARNING)
    return module


@contextmanager
def quiet() -> Generator[None]:
    """Without the warnings of what Optuna calls experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna().exceptions.ExperimentalWarning)
        yield


def open_journal(path: Path, plan: Plan) -> Any:
    """The study of a journal file, which is made where it is new; any number of processes may."""
    module = optuna()
    storage = _storage(path)
    found = module.create_study(
        storage=storage, study_name=NAME, directions=[direction(plan, g) for g in plan.goals],
        sampler=sampler(plan, 0), pruner=pruner(plan), load_if_exists=True,
    )  # fmt: skip
    _check_same(found, path, plan)
    return found


def _storage(path: Path) -> Any:
    from cnndsl.study.journal import Journal, damaged

    try:
        return optuna().storages.JournalStorage(Journal(path))
    except UserError:
        raise
    except Exception:  # lines that are not Optuna's raise a dozen unrelated types
        raise damaged(path) from None


def _check_same(study: Any, path: Path, plan: Plan) -> None:
    """UserError where a journal is of another spec or space; a new one is of these from now on."""
    own = sha256("\n".join([plan.source.text, *plan.vary]).encode()).hexdigest()[:16]
    known = study.user_attrs.get("spec")
    if known is None and not study.get_trials(deepcopy=False):
        study.set_user_attr("spec", own)
    elif known not in (None, own):
        raise UserError(
            f"{path} is of another spec, or of another space, than this study\n"
            "  begin a new one, in a folder of its own"
        )


def direction(plan: Plan, goal: str) -> str:
    """Whether more or less of a goal is better; of costs it is less."""
    metric = goal.startswith("val_")
    return "maximize" if metric and plan.recipe.known_task().rises(goal) else "minimize"


def sampler(plan: Plan, number: int) -> Any:
    """The sampler for the trial of this number: what it draws does not depend on who asks.

    Those that learn from trials begin with the spec as it is written.
    """
    found = _drawing(plan, number)
    own = as_written(plan) if number == 0 and plan.chosen_sampler in _LEARNING else None
    with quiet():
        return optuna().samplers.PartialFixedSampler(own, found) if own else found


def _drawing(plan: Plan, number: int) -> Any:
    samplers, seed = optuna().samplers, _mixed(plan.seed, number)
    with quiet():
        match plan.chosen_sampler:
            case "random":
                return samplers.RandomSampler(seed=seed)
            case "grid":
                found = samplers.BruteForceSampler(seed=seed)
                found.after_trial = _nothing  # it would stop a loop that is not there
                return found
            case "nsga2":
                return samplers.NSGAIISampler(population_size=_POPULATION, seed=seed)
            case _:
                return samplers.TPESampler(seed=seed)


def _mixed(seed: int, number: int) -> int:
    """A seed for each trial; those of neighbours have nothing in common."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def _nothing(*args: Any) -> None:
    pass


def pruner(plan: Plan) -> Any:
    """What ends trials early."""
    pruners = optuna().pruners
    match plan.chosen_pruner:
        case "median":
            return pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1)
        case "hyperband":
            return pruners.HyperbandPruner(1, max(plan.recipe.epochs, 1), 3)
        case _:
            return pruners.NopPruner()


def suggested(trial: Any, plan: Plan) -> dict[str, Value]:
    """The values of a trial, chosen from top to bottom."""
    values = dict[str, Value]()
    with quiet():
        for parameter in plan.space.parameters:
            if plan.is_active(parameter, values):
                values[parameter.name] = _suggest(trial, parameter)
    return values


def _suggest(trial: Any, parameter: Parameter) -> Value:
    name, domain = parameter.name, parameter.domain
    if isinstance(domain, Choices):
        return trial.suggest_categorical(name, domain.values)
    if domain.whole:
        return trial.suggest_int(name, domain.low, domain.high, step=domain.step or 1,
                                 log=domain.log)  # fmt: skip
    found = trial.suggest_float(name, domain.low, domain.high, step=domain.step, log=domain.log)
    rounded = float(f"{found:.{_DIGITS}g}")
    return min(max(rounded, domain.low), domain.high)
