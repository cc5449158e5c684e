# ruff: noqa: E501  (a line of a table is one entry)
"""Initialisers, losses, optimizers and schedules of other frameworks."""

INITIALISERS = """
kaiming kaimingnormal msra msrafiller henormalinitializer he = he_normal
kaiminguniform heuniforminitializer = he_uniform
xavier xavieruniform glorot glorotuniforminitializer = glorot_uniform
xaviernormal glorotnormalinitializer = glorot_normal
lecun lecunnormalinitializer = lecun_normal
lecununiforminitializer = lecun_uniform
orthogonalinitializer ortho orthonormal = orthogonal
identity eye identityinitializer = dirac
whitening whitened pcawhitening zca = whiten
fixup deltaorthogonal sparse stft bilinear = | the nearest is `orthogonal`, whose rows are at right angles
normal randomnormal gaussian truncatednormal truncnormal truncnormaltf = | deviations follow the size of the layer; the nearest is `he_normal`, √(2 / inputs)
uniform randomuniform scaleduniform = | bounds follow the size of the layer; the nearest is `he_uniform`, √(6 / inputs)
variancescaling fanin fanout fanavg = | the nearest are `he_normal`, `glorot_normal` and `lecun_normal`, which are its cases
zero zerosinitializer zeroinit = zeros
one onesinitializer = ones
constant const fill positiveunitball = | the nearest are `zeros` and `ones`
"""

TASKS = """
classify classifier imageclassification multiclass multiclassclassification singlelabel = classification
binary binaryclassification = binary
multilabels multilabelclassification multihot tagging = multilabel
regress regressor = regression
segment semanticsegmentation = segmentation
detection objectdetection keypoints localization localisation = | boxes are not learned; the nearest is `regression`, whose numbers may be a position
instancesegmentation panopticsegmentation superresolution denoising metriclearning = | the nearest is `classification`
"""

LOSSES = """
crossentropy ce crossentropyloss categoricalcrossentropy sparsecategoricalcrossentropy softmaxcrossentropy softmaxcrossentropywithintegerlabels softmaxwithloss softmaxloss multinomiallogisticloss labelsmoothingcrossentropy softtargetcrossentropy sparsesoftmaxcrossentropy softmaxcrossentropywithlogits sparsesoftmaxcrossentropywithlogits categoricalcrossentropywithlogits logloss = cross_entropy
nll nllloss negativeloglikelihood nllloss2d = | it takes logarithms of probabilities; the nearest is `cross_entropy`, which takes logits and forms them itself
binarycrossentropy bceloss bcewithlogits bcewithlogitsloss sigmoidbinarycrossentropy sigmoidcrossentropyloss sigmoidcrossentropy binarycrossentropywithlogits multilabelsoftmarginloss = bce
binaryfocalcrossentropy categoricalfocalcrossentropy focal focalloss sigmoidfocalloss sigmoidfocal binaryfocal = focal
meansquarederror mseloss squarederror l2loss euclideanloss euclidean quadratic = mse
mae l1 l1loss meanabsoluteerror absoluteerror = mae
huber huberloss smoothl1 smoothl1loss = huber
ohem balancedce weightedce weightedcrossentropy balancedcrossentropy = | classes are weighed by a key: `cross_entropy weights=balanced`
quantile quantileloss pinball pinballloss wing charbonnier = | the nearest is `huber`, which grows in a straight line for large errors
rmse msle meansquaredlogarithmicerror mape meanabsolutepercentageerror logcosh rmsle = | the nearest is `mse`, the plain mean of squares
hinge hingeloss squaredhinge categoricalhinge hingeembeddingloss multimarginloss multilabelmarginloss softmarginloss svm perceptron marginrankingloss = | margins are not learned; the nearest is `cross_entropy`, whose margins have no end
kldiv kldivloss kldivergence kullbackleiblerdivergence kld kl = | the nearest is `cross_entropy`, the same for class numbers
triplet tripletloss tripletmarginloss tripletsemihardloss contrastive contrastiveloss ntxent infonce supcon npair circle multisimilarity proxyanchor = | pairs of pictures are not compared; the nearest is `cross_entropy`, which tells classes apart
cosine cosinesimilarity cosineembeddingloss cosinedistance cosineproximity = | the nearest is `mse` on outputs of the same length
dice diceloss softdice generaliseddice generalizeddice = dice
jaccard jaccardloss iou iouloss tversky focaltversky lovasz lovaszsoftmax hausdorff boundary = | the nearest is `dice`, which measures the overlap of whole regions, too
dicece diceceloss dicecrossentropy dcce combo comboloss = dice_ce
giou diou ciou bbox smoothap = | boxes are not learned; the nearest is `mse` on numbers
ctc ctcloss rnnt rnntloss = | sequences are not learned; the nearest is `cross_entropy`, one class a picture
poisson poissonnllloss gaussiannllloss = | the nearest is `mse`, the case of one deviation
arcface cosface sphereface am amsoftmax additiveangularmargin centerloss center = | margins of angles are not learned; the nearest is `cross_entropy`
distillation knowledgedistillation jsd jensenshannon wasserstein adversarial perceptual lpips ssim infoloss = | the nearest is `cross_entropy`, against class numbers
bitempered polyloss poly poly1 asymmetric asymmetricloss asl gce sce generalizedcrossentropy symmetriccrossentropy bootstrapped logitnorm = | the nearest is `cross_entropy smooth=0.1`
"""

OPTIMIZERS = """
gradientdescent stochasticgradientdescent msgd vanillasgd gd = sgd
noisysgd sgld = | no noise is added to gradients; the nearest is `sgd`
momentum sgdm sgdmomentum = | it is a key: `sgd momentum=0.9`
nesterov nag nesterovmomentum = | it is a word of sgd: `sgd momentum=0.9 nesterov`
adamoptimizer = adam
adamweightdecay adamwoptimizer decoupledadam adamw8bit = adamw
adamax = adamax
amsgrad adabelief yogi adan adamp adai padam adabound fusedadam adam8bit sparseadam adopt diffgrad grokfast = | the nearest is `adam`, from which it differs in how the squares are kept
nadam = nadam
nadamw = | the nearest is `nadam`, whose decay goes through the gradient
radam rectifiedadam = radam
adadelta = adadelta
adagradoptimizer adagradda = adagrad
ftrl proximaladagrad proximalgradientdescent = | there is no L1 penalty; the nearest is `adagrad`, whose steps shrink alike
rmspropoptimizer rmsproptf centeredrmsprop = rmsprop
lamb lambc = lamb
lars larc fromage = | the nearest is `lamb`, which scales the steps of `adamw` to each weight
sgdw sgdp = | the nearest is `sgd decay=1e-4`, whose decay goes through the gradient
adafactor came sm3 = | the nearest is `adamw`, which keeps one square a weight
novograd shampoo soap kron psgd sophia kfac adahessian distributedshampoo = | no curvature is measured; the nearest are `muon`, for kernels, and `adamw`
lookahead ranger ranger21 swa sam gsam madgrad madgradw schedulefree = | the nearest is `adamw` with a moving mean of the weights: `ema 0.999`
cocob prodigy dadaptation dadaptadam dadaptsgd mechanic polyak polyaksgd = | rates are not found by themselves; the nearest is `adam lr=1e-3`
rprop signsgd signum signmomentum tiger = | the nearest is `lion`, whose steps follow the sign alone
lionw lion8bit = lion
asgd lbfgs bfgs conjugategradient newton nero apollo = | the nearest is `sgd momentum=0.9`
"""

SCHEDULES = """
none fixed const constantlr constantschedule no off null identity = constant
steplr stepdecay stepschedule piecewise stairs = step
multistep multisteplr piecewiseconstant piecewiseconstantdecay steps multifactor = multistep
exponential exponentiallr exponentialdecay exp expdecay = exponential
cos cosineannealing cosineannealinglr cosinedecay cosinelr cosineschedule warmupcosine warmupcosinedecay cosinewarmup = cosine
cosineannealingwarmrestarts cosinedecayrestarts cosinerestarts warmrestarts sgdr cosinewithrestarts cosinecyclic = restarts
onecyclelr 1cycle superconvergence cosineonecycle linearonecycle = onecycle
cyclic cycliclr clr triangular triangular2 exprange sawtooth = | the rate does not go up and down again; the nearest is `onecycle`, one rise and one fall
poly polynomiallr polynomialdecay polynomialschedule polylr polydecay = polynomial
linear lineardecay linearschedule linearwarmupdecay = polynomial
linearlr = | PyTorch's rises in its first steps, as `constant warmup=5`; one that falls in a straight line is nearest to `polynomial`
plateaulr reducelronplateau reduceonplateau reducelr = plateau
lambda lambdalr multiplicativelr learningratescheduler sequentiallr chainedscheduler joinschedules inversetimedecay inv inversesqrt rsqrt noam tanh sigmoid swalr wsd flatcosine flatcos trapezoidal knee tanhdecay = | the nearest is `cosine warmup=5`, a rise and a smooth fall
warmup linearwarmup warmuplr gradualwarmup burnin constantwithwarmup = | it is a key of every schedule: `constant warmup=5`
"""
