# ruff: noqa: E501  (a line of a table is one entry)
"""Activations of other frameworks."""

TABLE = """
reluactivation rectifier rectifiedlinear rectify = relu
relun relumax = | the nearest is `relu6`, which cuts at 6
leakyrelu lrelu leakyrectify leakyact = leaky | its slope is 0.01, as in PyTorch; Keras's layer is `leaky alpha=0.3`
parametricrelu preluact = prelu
rrelu rreluact randomizedrelu = | the slope is not random; the nearest is `leaky alpha=0.23`, its mean
swish swish1 siluact = silu
hardswish hardsilu hswish1 = hswish
hardsigmoid = hsigmoid
geluact geluexact = gelu
gelutanh gelupytorchtanh geluapprox approxgelu approximategelu quickgelu gelunew fastgelu = | the nearest is `gelu`, the exact form, which differs by less than 0.001
hardtanh clip clamped htanh = clamp
softsign = softsign
celu celuact = celu
logsigmoid = logsigmoid
softmax2d softmaxlayer spatialsoftmax = softmax
logsoftmax logsoftmax2d = logsoftmax
softmin sparsemax entmax sparseplus squareplus = | the nearest are `softmax`, over the channels, and `softplus`, for each value
gumbelsoftmax adaptivelogsoftmaxwithloss = | the nearest is `softmax`, which is not random
logistic sigm sigmoidal = sigmoid
hyperbolictangent tanhact = tanh
tanhshrink softshrink hardshrink threshold thresholdedrelu = | the nearest is `relu`, which is 0 below 0
glu swiglu geglu reglu bilinearglu = | halves are not multiplied; the nearest is a gate of two branches: `mul { conv 32 1x1 | conv 32 1x1 sigmoid }`
crelu concatrelu = | the nearest is `relu`, which keeps the positive half only
exponential exp expact sin siren sine square power abs absval bnll log sqrt reciprocal snake = | the nearest are `elu`, `softplus` and `tanh`
serelu aconc metaaconc frelu smelu = | the nearest is `prelu`, whose slopes are learned
hardmish = | the nearest is `mish`, which is smooth
loggy lhtan plse stair hardtan ramp relie = | the nearest are `tanh` and `leaky`
linearactivation noactivation = id
layerscale affinechannel channelscale = scale
"""
