"""Known ways in which images were prepared for published weights, by name.

Sources: torchvision.transforms._presets.ImageClassification; timm.data.constants and the default
configurations of timm's models.
"""

from dataclasses import replace

from cnndsl.argument_types import as_text
from cnndsl.fields import nearest
from cnndsl.source import UserError
from cnndsl.weights.model_info import ModelInfo

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_INCEPTION = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
KNOWN = {
    "imagenet": ModelInfo(*_IMAGENET, crop=0.875),
    "imagenet-bicubic": ModelInfo(*_IMAGENET, crop=0.875, resample="bicubic"),
    "imagenet-inception": ModelInfo(*_INCEPTION, crop=0.875, resample="bicubic"),
}


def prepared(info: ModelInfo, name: str | None) -> ModelInfo:
    """With the preprocessing that a name stands for; UserError for one that is not known.

    WrongType for what is not a name.
    """
    if name is None:
        return info
    as_text("preprocess", name)
    if name not in KNOWN:
        close = nearest(name, set(KNOWN))
        hint = f"did you mean `{close}`?" if close else f"known are {', '.join(KNOWN)}"
        raise UserError(f"preprocess: unknown `{name}`\n  {hint}")
    known = KNOWN[name]
    return replace(info, mean=known.mean, std=known.std, crop=known.crop, resample=known.resample)
