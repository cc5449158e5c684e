"""Keras's optimizers, losses and callbacks, with the defaults of Keras 3."""

from typing import Any

from cnndsl.frameworks.arguments import Arguments, NoCounterpart, counterpart, key, number
from cnndsl.frameworks.region import UNSAID
from cnndsl.frameworks.registry import Table
from cnndsl.frameworks.values import Call, Symbol, Value, parts_of
from cnndsl.recipe import CHOSEN

OPTIMIZERS = Table()
LOSSES = Table()
CALLBACKS = Table()
_END = " clipnorm clipvalue global_clipnorm use_ema ema_momentum ema_overwrite_frequency"


def _rate(a: Arguments, theirs: float, ours: float) -> str:
    """` lr=0.001`, where it is given or not our default."""
    value = a.get("learning_rate", theirs)
    if isinstance(value, Call):
        raise NoCounterpart("the rate falls by a setting of its own: `schedule cosine`")
    if a.has("learning_rate"):
        return f" lr={number(a.number('learning_rate'))}"
    return key("lr", theirs, ours)


def _clip(a: Arguments) -> str:
    """`; clip 1.0` of the norm of the whole gradient."""
    if a.has("global_clipnorm"):
        return f"; clip {number(a.number('global_clipnorm'))}"
    if a.has("clipnorm") or a.has("clipvalue"):
        raise NoCounterpart("gradients are bounded as a whole: `clip 1.0`, Keras's global_clipnorm")
    return ""


def _betas(a: Arguments, second: float = 0.999) -> str:
    first = key("beta1", a.number("beta_1", 0.9), 0.9)
    return first + key("beta2", a.number("beta_2", second), second)


def _adam(a: Arguments, word: str, decay: str) -> str:
    a.only("amsgrad", False)
    head = f"{word}{_rate(a, 1e-3, 1e-3)}{_betas(a)}"
    return f"{head} eps={number(a.number('epsilon', 1e-7))}{decay}{_clip(a)}"


@OPTIMIZERS.call("Adam", "learning_rate beta_1 beta_2 epsilon amsgrad weight_decay" + _END)
def adam(a: Arguments) -> str:
    """`adam lr=0.001 eps=1e-07`; with a weight decay, which Keras keeps apart, `adamw`."""
    if a.has("weight_decay"):
        return _adam(a, "adamw", f" decay={number(a.number('weight_decay'))}")
    return _adam(a, "adam", "")


@OPTIMIZERS.call("AdamW", "learning_rate weight_decay beta_1 beta_2 epsilon amsgrad" + _END)
def adamw(a: Arguments) -> str:
    """`adamw eps=1e-07 decay=0.004`."""
    return _adam(a, "adamw", key("decay", a.number("weight_decay", 0.004), 0.01))


@OPTIMIZERS.call("Nadam", "learning_rate beta_1 beta_2 epsilon" + _END)
def nadam(a: Arguments) -> str:
    """`nadam lr=0.001 eps=1e-07`."""
    head = f"nadam lr={number(a.number('learning_rate', 1e-3))}{_betas(a)}"
    return f"{head} eps={number(a.number('epsilon', 1e-7))}{_clip(a)}"


@OPTIMIZERS.call("SGD", "learning_rate momentum nesterov weight_decay" + _END)
def sgd(a: Arguments) -> str:
    """`sgd lr=0.1 momentum=0.9 nesterov`."""
    momentum = a.number("momentum", 0.0)
    if a.has("weight_decay") and momentum:
        raise NoCounterpart("Keras keeps the decay out of the momentum; the nearest is "
                            "`sgd decay=…`, whose decay goes through it")  # fmt: skip
    text = f"sgd{_rate(a, 0.01, 0.01)}{key('momentum', momentum, 0)}"
    text += key("decay", a.number("weight_decay", 0.0), 0)
    return text + (" nesterov" if a.flag("nesterov", False) else "") + _clip(a)


@OPTIMIZERS.call("RMSprop", "learning_rate rho momentum epsilon centered" + _END)
def rmsprop(a: Arguments) -> str:
    """`rmsprop lr=0.001 alpha=0.9 eps=1e-07`."""
    a.only("centered", False)
    text = f"rmsprop{_rate(a, 1e-3, 0.01)}{key('alpha', a.number('rho', 0.9), 0.99)}"
    text += key("momentum", a.number("momentum", 0.0), 0)
    return f"{text} eps={number(a.number('epsilon', 1e-7))}{_clip(a)}"


@OPTIMIZERS.call("Adagrad", "learning_rate initial_accumulator_value epsilon" + _END)
def adagrad(a: Arguments) -> str:
    """`adagrad lr=0.001 eps=1e-07`."""
    if a.number("initial_accumulator_value", 0.1):
        raise NoCounterpart("the squares start at 0 here, Keras's at 0.1: the nearest is "
                            "`adagrad lr=0.001`")  # fmt: skip
    return f"adagrad{_rate(a, 1e-3, 0.01)} eps={number(a.number('epsilon', 1e-7))}{_clip(a)}"


@OPTIMIZERS.call("Lion", "learning_rate beta_1 beta_2 weight_decay" + _END)
def lion(a: Arguments) -> str:
    """`lion lr=0.001`."""
    text = f"lion{_rate(a, 1e-3, 1e-4)}{_betas(a, 0.99)}"
    return text + key("decay", a.number("weight_decay", 0.0), 0) + _clip(a)


def optimizer(value: Value) -> str:
    """`optimizer adam eps=1e-07` of a name or a call."""
    call = value if isinstance(value, Call) else Call(_name(value))
    name = next((n for n in OPTIMIZERS.entries if n.lower() == call.name.lower()), None)
    if name is not None:
        return f"optimizer {OPTIMIZERS.written(Call(name, call.arguments, call.keywords))}"
    return f"optimizer {counterpart('optimizer', call.name, CHOSEN['optimizer'])}"


def _name(value: Value) -> str:
    if isinstance(value, Symbol):
        return value.name
    if isinstance(value, str):
        return value
    raise NoCounterpart("an optimizer, a loss or a schedule is a name: `optimizer adam`")


@LOSSES.call("SparseCategoricalCrossentropy", "from_logits ignore_class reduction")
@LOSSES.call("CategoricalCrossentropy", "from_logits label_smoothing axis reduction")
def cross_entropy(a: Arguments) -> str:
    """`cross_entropy smooth=0.1`."""
    a.skip("from_logits", "reduction")
    a.only("axis", -1)
    return f"cross_entropy{key('smooth', a.number('label_smoothing', 0.0), 0)}"


@LOSSES.call("BinaryCrossentropy", "from_logits label_smoothing axis reduction")
def binary(a: Arguments) -> str:
    """`bce smooth=0.1`."""
    a.skip("from_logits", "reduction")
    a.only("axis", -1)
    return f"bce{key('smooth', a.number('label_smoothing', 0.0), 0)}"


def loss(value: Value) -> str:
    """`loss cross_entropy` of a name or a call."""
    if isinstance(value, Call) and value.name in LOSSES:
        return f"loss {LOSSES.written(value)}"
    if isinstance(value, Call) and (value.arguments or value.keywords):
        raise NoCounterpart(f"the arguments of `{value.name}` have no counterpart here")
    name = value.name if isinstance(value, Call) else _name(value)
    return f"loss {counterpart('loss', name, CHOSEN['loss'])}"


def takes_probabilities(value: Value) -> bool:
    """Whether a loss is of outputs behind a softmax or sigmoid: from_logits is False."""
    return not (isinstance(value, Call) and value.keywords.get("from_logits") is True) and not (
        isinstance(value, Call) and value.arguments[:1] == (True,)
    )


@CALLBACKS.call("EarlyStopping", "monitor min_delta patience verbose mode baseline "
                "restore_best_weights start_from_epoch")  # fmt: skip
def early_stopping(a: Arguments) -> str:
    """`stop 5`."""
    a.skip("monitor", "verbose", "mode", "restore_best_weights", "min_delta")
    return f"stop {number(max(1, a.number('patience', 0)))}"


@CALLBACKS.call(
    "ReduceLROnPlateau", "monitor factor patience verbose mode min_delta cooldown min_lr"
)
def plateau(a: Arguments) -> str:
    """`schedule plateau gamma=0.1 patience=10`."""
    a.skip("monitor", "verbose", "mode", "min_delta", "cooldown", "min_lr")
    gamma = key("gamma", a.number("factor", 0.1), 0.1)
    return f"schedule plateau{gamma} patience={number(a.number('patience', 10))}"


def settings_of(call: Call) -> list[str]:
    """The settings of `compile(…)` or `fit(…)`."""
    return _compile(call) if call.name == "compile" else _fit(call)


def _compile(call: Call) -> list[str]:
    given: dict[str, Any] = dict(zip(("optimizer", "loss"), call.arguments, strict=False))
    given |= call.keywords
    found = [optimizer(given.get("optimizer") or "rmsprop")]
    if given.get("loss") is not None:
        found.append(loss(given["loss"]))
    return [part for text in found for part in text.split("; ")]


def _fit(call: Call) -> list[str]:
    order = ("x", "y", "batch_size", "epochs", "verbose", "callbacks")
    given: dict[str, Any] = dict(zip(order, call.arguments, strict=False)) | call.keywords
    found = [f"epochs {_count(given, 'epochs') or 1}"]
    if batch := _count(given, "batch_size"):
        found.append(f"batch {batch}")
    if given.get("validation_split") and given.get("validation_data") is None:
        found.append(f"holdout {_count(given, 'validation_split')}")
    for each in parts_of(given.get("callbacks")) or ():
        if isinstance(each, Call) and each.name in CALLBACKS:
            found.append(CALLBACKS.written(each))
    return [_plain(text) for text in found]


def _count(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    if isinstance(value, Symbol):
        raise NoCounterpart(f"{UNSAID} `{value.path}` is: write `{name}` as a number")
    return None if value is None else number(value)


def _plain(text: str) -> str:
    if "<" in text:
        raise NoCounterpart("settings are numbers: `epochs 10`, `batch 32`")
    return text


AUGMENTATIONS = Table()
_DRAWN = " fill_mode interpolation seed fill_value data_format"


@AUGMENTATIONS.call("RandomFlip", "mode seed data_format")
def random_flip(a: Arguments) -> str:
    """`flip`, left to right."""
    a.skip("seed")
    if a.get("mode", "horizontal_and_vertical") != "horizontal":
        raise NoCounterpart("pictures are mirrored left to right only: `train { augment flip }`")
    return "flip"


@AUGMENTATIONS.call("RandomRotation", "factor" + _DRAWN)
def random_rotation(a: Arguments) -> str:
    """`rotate=36` of a tenth of a full turn."""
    a.skip(*_DRAWN.split())
    return f"rotate={number(round(360.0 * float(a.number('factor')), 6))}"


@AUGMENTATIONS.call("RandomZoom", "height_factor width_factor" + _DRAWN)
def random_zoom(a: Arguments) -> str:
    """`zoom=0.1`."""
    a.skip(*_DRAWN.split())
    a.only("width_factor", None)
    return f"zoom={number(a.number('height_factor'))}"


@AUGMENTATIONS.call("RandomTranslation", "height_factor width_factor" + _DRAWN)
def random_translation(a: Arguments) -> str:
    """`translate=0.1` of both sides."""
    a.skip(*_DRAWN.split())
    share = a.number("height_factor")
    a.only("width_factor", share)
    return f"translate={number(share)}"
