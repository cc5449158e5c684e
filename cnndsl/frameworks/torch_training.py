"""PyTorch's optimizers, losses and schedulers, with their defaults."""

from cnndsl.frameworks.arguments import Arguments, NoCounterpart, counterpart, key, number
from cnndsl.frameworks.registry import Table
from cnndsl.frameworks.values import Call, parts_of
from cnndsl.recipe import CHOSEN

OPTIMIZERS = Table()
SCHEDULES = Table()
LOSSES = Table()
_SPEED = " foreach maximize capturable differentiable fused"


def _rate(a: Arguments, theirs: float, ours: float) -> str:
    a.skip("params", "foreach", "capturable", "fused")
    if a.has("lr"):
        return f" lr={number(a.number('lr'))}"
    return key("lr", theirs, ours)


def _betas(a: Arguments) -> str:
    betas = parts_of(a.get("betas", (0.9, 0.999))) or ()
    if len(betas) != 2:
        raise NoCounterpart("each number has a key of its own: `beta1=0.9 beta2=0.999`")
    return key("beta1", betas[0], 0.9) + key("beta2", betas[1], 0.999)


def _adam(a: Arguments, word: str, rate: float, ours: float, decay: float, our_decay: float) -> str:
    a.only("amsgrad", False)
    text = f"{word}{_rate(a, rate, ours)}{_betas(a)}{key('eps', a.number('eps', 1e-8), 1e-8)}"
    return text + key("decay", a.number("weight_decay", decay), our_decay)


@OPTIMIZERS.call("Adam", "params lr betas eps weight_decay amsgrad" + _SPEED)
def adam(a: Arguments) -> str:
    """`adam lr=0.001`."""
    return _adam(a, "adam", 1e-3, 1e-3, 0.0, 0.0)


@OPTIMIZERS.call("AdamW", "params lr betas eps weight_decay amsgrad" + _SPEED)
def adamw(a: Arguments) -> str:
    """`adamw lr=0.001`."""
    return _adam(a, "adamw", 1e-3, 1e-3, 0.01, 0.01)


@OPTIMIZERS.call("NAdam", "params lr betas eps weight_decay momentum_decay" + _SPEED)
def nadam(a: Arguments) -> str:
    """`nadam lr=0.002`."""
    a.only("momentum_decay", 0.004)
    return f"nadam lr={number(a.number('lr', 2e-3))}{_betas(a)}" + key(
        "decay", a.number("weight_decay", 0.0), 0.0
    )


@OPTIMIZERS.call("RAdam", "params lr betas eps weight_decay" + _SPEED)
def radam(a: Arguments) -> str:
    """`radam lr=0.001`."""
    return f"radam lr={number(a.number('lr', 1e-3))}{_betas(a)}" + key(
        "decay", a.number("weight_decay", 0.0), 0.0
    )


@OPTIMIZERS.call("SGD", "params lr momentum dampening weight_decay nesterov" + _SPEED)
def sgd(a: Arguments) -> str:
    """`sgd lr=0.1 momentum=0.9 decay=0.0005 nesterov`."""
    a.only("dampening", 0, 0.0)
    text = f"sgd{_rate(a, 1e-3, 0.01)}{key('momentum', a.number('momentum', 0.0), 0)}"
    text += key("decay", a.number("weight_decay", 0.0), 0)
    return text + (" nesterov" if a.flag("nesterov", False) else "")


@OPTIMIZERS.call("RMSprop", "params lr alpha eps weight_decay momentum centered" + _SPEED)
def rmsprop(a: Arguments) -> str:
    """`rmsprop`."""
    a.only("centered", False)
    text = f"rmsprop{_rate(a, 0.01, 0.01)}{key('alpha', a.number('alpha', 0.99), 0.99)}"
    text += key("eps", a.number("eps", 1e-8), 1e-8)
    text += key("momentum", a.number("momentum", 0.0), 0)
    return text + key("decay", a.number("weight_decay", 0.0), 0)


@OPTIMIZERS.call(
    "Adagrad", "params lr lr_decay weight_decay initial_accumulator_value eps" + _SPEED
)
def adagrad(a: Arguments) -> str:
    """`adagrad`."""
    a.only("lr_decay", 0, 0.0)
    a.only("initial_accumulator_value", 0, 0.0)
    text = f"adagrad{_rate(a, 0.01, 0.01)}{key('eps', a.number('eps', 1e-10), 1e-10)}"
    return text + key("decay", a.number("weight_decay", 0.0), 0)


@LOSSES.call(
    "CrossEntropyLoss", "weight size_average ignore_index reduce reduction label_smoothing"
)
def cross_entropy(a: Arguments) -> str:
    """`cross_entropy smooth=0.1`."""
    a.only("ignore_index", -100)
    a.only("reduction", "mean")
    weights = a.get("weight")
    if weights is not None:
        raise NoCounterpart('weights are a text: `loss cross_entropy weights="1 2.5"`')
    return f"cross_entropy{key('smooth', a.number('label_smoothing', 0.0), 0)}"


@SCHEDULES.call("StepLR", "optimizer step_size gamma last_epoch")
def step(a: Arguments) -> str:
    """`step every=30`."""
    a.skip("optimizer", "last_epoch")
    return f"step every={number(a.number('step_size'))}{key('gamma', a.number('gamma', 0.1), 0.1)}"


@SCHEDULES.call("CosineAnnealingLR", "optimizer T_max eta_min last_epoch")
def cosine(a: Arguments) -> str:
    """`cosine`, over all epochs."""
    a.skip("optimizer", "last_epoch", "T_max")
    a.only("eta_min", 0, 0.0)
    return "cosine"


@SCHEDULES.call("ReduceLROnPlateau", "optimizer mode factor patience threshold threshold_mode "
                "cooldown min_lr eps")  # fmt: skip
def plateau(a: Arguments) -> str:
    """`plateau gamma=0.1 patience=10`."""
    a.skip("optimizer", "mode", "threshold", "threshold_mode", "cooldown", "min_lr", "eps")
    gamma = key("gamma", a.number("factor", 0.1), 0.1)
    return f"plateau{gamma} patience={number(a.number('patience', 10))}"


def setting(call: Call) -> str | None:
    """The setting of an optimizer, a loss or a scheduler; None for another call."""
    if call.name in OPTIMIZERS:
        return f"optimizer {OPTIMIZERS.written(call)}"
    if call.name in SCHEDULES:
        return f"schedule {SCHEDULES.written(call)}"
    if call.name in LOSSES:
        return f"loss {LOSSES.written(call)}"
    if call.name.endswith("Loss"):
        return f"loss {counterpart('loss', call.name, CHOSEN['loss'])}"
    return None
