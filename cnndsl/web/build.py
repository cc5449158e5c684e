"""A whole page: it answers, learns, or does both."""

from cnndsl.backend.inference import Options
from cnndsl.ir import Model
from cnndsl.web.classify import classifier
from cnndsl.web.learn import learner
from cnndsl.web.page import Page
from cnndsl.weights.fit import ModelWeights


def whole_page(
    model: Model, weights: ModelWeights, runtime: str | None, options: Options | None = None,
    *, pretrained: bool, train: bool, batch: int | None,
) -> Page:  # fmt: skip
    """The page of a model; one whose weights are fresh, and that learns, has no answers yet.

    `runtime` is the address of onnxruntime-web, or a folder with it. UserError for a model that
    has no page.
    """
    options = options or Options(info=weights.info)
    page = Page({}).with_runtime(runtime)
    if pretrained or not train:
        page = page.joined(classifier(model, weights, options))
    return page.joined(learner(model, weights, pretrained, batch)) if train else page
