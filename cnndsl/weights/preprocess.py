"""Known ways in which images were prepared for published weights, by name."""

from cnndsl.fields import nearest
from cnndsl.source import UserError
from cnndsl.weights.model_info import ModelInfo

KNOWN = {
    "imagenet": ModelInfo((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "imagenet-inception": ModelInfo((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


def preprocessing(name: str) -> ModelInfo:
    """What a name stands for; UserError for one that is not known."""
    if name not in KNOWN:
        close = nearest(name, set(KNOWN))
        hint = f"did you mean `{close}`?" if close else f"known are {', '.join(KNOWN)}"
        raise UserError(f"preprocess: unknown `{name}`\n  {hint}")
    return KNOWN[name]
