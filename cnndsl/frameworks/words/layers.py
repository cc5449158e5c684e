# ruff: noqa: E501  (a line of a table is one entry)
"""Layers of Keras, PyTorch, JAX, Darknet, Caffe and timm but activations, and what else a line
may start with."""

TABLE = """
conv2d convolution convolution2d convolutional conv2dlayer spatialconvolution conv2dnormactivation = conv
conv2dsame conv2dlazy lazyconv2d convlayer = conv
conv1d lazyconv1d convolution1d = | a sequence is an image of height 1: `input 8x1x100` and `conv 32 1x3`
conv3d lazyconv3d convolution3d = | images have two sides; the nearest is `conv`, which slides over height and width
depthwiseconv2d depthwiseconv depthwise depthwiseconvolution dwconv2d = dwconv
depthwiseconv1d = | a sequence is an image of height 1: `dwconv 1x3`
separableconv2d separableconv separableconvolution sepconv separable = | it is two statements: `dwconv 3x3 same; conv 64 1x1`
separableconv1d = | it is two statements: `dwconv 1x3 same; conv 64 1x1`
pointwiseconv pointwise = | it is a `conv` with a kernel of 1x1: `conv 64 1x1`
deformconv2d deformconv dcn = | kernels do not move here; the nearest is `conv`, whose taps stay in place
dynamicconv condconv mixedconv = | kernels do not depend on the image; the nearest is `conv`
octaveconv octconv partialconv gatedconv involution coordconv = | the nearest is `conv`, which sees the whole input
cbam bam coordattention eca = | the nearest is a squeeze-and-excitation gate: `mul { id | gap; conv 8 1x1 relu; conv 32 1x1 sigmoid }`
convtranspose2d conv2dtranspose deconv deconvolution deconvolutional convtranspose transposedconv lazyconvtranspose2d transposeconv = upconv
convtranspose1d conv1dtranspose = | a sequence is an image of height 1: `upconv 32 1x2 stride=1x2`
convtranspose3d conv3dtranspose = | images have two sides; the nearest is `upconv`, which enlarges height and width
maxpool maxpooling maxpooling2d maxpool2d maxpoollayer pooling pool2d spatialmaxpooling = pool
maxpool1d maxpooling1d = | a sequence is an image of height 1: `pool 1x2`
maxpool3d maxpooling3d = | images have two sides; the nearest is `pool`, which takes the largest value over height and width
averagepooling2d avgpool2d averagepooling averagepool avgpooling avgpooling2d meanpool meanpooling spatialaveragepooling = avgpool
avgpool1d averagepooling1d = | a sequence is an image of height 1: `avgpool 1x2`
avgpool3d averagepooling3d = | images have two sides; the nearest is `avgpool`, which averages over height and width
globalaveragepooling2d globalaveragepooling globalavgpool2d globalavgpool globalaveragepool adaptiveavgpool2d adaptiveavgpool adaptiveaveragepool globalaveragepool2d globalpool globalpooling = gap
globalmaxpooling2d globalmaxpooling globalmaxpool2d globalmaxpool adaptivemaxpool2d adaptivemaxpool = gmp
globalaveragepooling1d adaptiveavgpool1d globalmaxpooling1d adaptivemaxpool1d = | a sequence is an image of height 1, whose mean is `gap` and largest value `gmp`
globalaveragepooling3d adaptiveavgpool3d globalmaxpooling3d adaptivemaxpool3d = | images have two sides; the nearest are `gap` and `gmp`, over height and width
lppool lppool1d lppool2d lppool3d = | the nearest is `avgpool`, which is the case p = 1 for values above 0
res resnet = residual
branch branches parallel fork = | branches are merged; the nearest is `concat { a | b }`, or `add { a | b }`
int float auto = | a variable is `let c = 32`, whatever it holds; the nearest is `let`
fractionalmaxpool2d fractionalmaxpool3d fractionalmaxpool stochasticpool = | windows have whole sizes; the nearest is `pool`, which takes the largest value of each
maxunpool maxunpool2d maxunpool1d maxunpool3d unpool unpooling = | positions of maxima are not kept; the nearest is `upsample`, which repeats each value
blurpool blurpool2d antialias = | there is no fixed blur; the nearest is `avgpool 2`, which averages before it thins out
gempool gem = | the nearest is `gap`, which is its case p = 1
cropandresize gridsample spatialtransformer roipool roialign spatialpyramidpooling spp sppf = | regions are not cut; `concat { id | pool 5 /1 same }` pools at several sizes
linear lineardense fc fullyconnected innerproduct affine densegeneral lazylinear logits classifier = dense
connected = dense | Darknet flattens by itself, here `flatten` stands before it
bilinear bilinearlayer identitylinear einsumdense einsum = | the nearest is `dense`, which takes one input
locallyconnected1d locallyconnected2d locallyconnected local = | every position has the same kernel here; the nearest is `conv`, which shares it
hypernetwork maxout = | the nearest is `dense relu`, one line and a zero
batchnorm batchnorm2d batchnorm1d batchnormalize batchnormact2d lazybatchnorm2d lazybatchnorm1d spatialbatchnormalization = bn
batchnormalization = bn | Keras's has `bn eps=1e-3 momentum=0.01`
batchnorm3d lazybatchnorm3d = bn | images have two sides
syncbatchnorm synchronizedbatchnormalization syncbn = bn
frozenbatchnorm2d frozenbatchnorm frozenbn = | statistics are learned while training; the nearest is `scale`, a factor a channel
batchrenorm batchrenormalization ghostbatchnorm filterresponsenorm frn evonorm switchnorm switchablenorm mvn = | the nearest is `bn`, which uses the batch's statistics
layernorm layernormalization layernorm2d channellayernorm = ln
rmsnorm rmsnormalization = | the nearest is `ln`, which takes the mean away as well
groupnorm groupnormalization groupnorm1 = gn
instancenorm instancenorm2d instancenormalization lazyinstancenorm2d = in
instancenorm1d instancenorm3d lazyinstancenorm1d lazyinstancenorm3d = | images have two sides; the nearest is `in`, over height and width
localresponsenorm localresponsenormalization crosschannelnorm = lrn
weightnorm weightnormalization spectralnorm spectralnormalization unitnormalization weightstandardization = | weights are not normed; the nearest is `bn`, which norms what comes out
normalize normalization rescaling = | leave it out: images arrive as 0…1, and training norms them by the mean and deviation of its images
dropout1d dropout2d spatialdropout2d alphadropout featurealphadropout dropoutlayer spatialdropout zoneout = | whole channels are not dropped; the nearest is `dropout`, which zeroes single values
dropout3d spatialdropout1d spatialdropout3d = | whole channels are not dropped; the nearest is `dropout`, which zeroes single values
gaussiandropout gaussiannoise = | there is no noise; the nearest is `dropout`, which zeroes values
dropblock dropblock2d = | squares are not dropped; the nearest are `dropout` for values and `droppath` for a whole branch
dropconnect = | weights are not dropped; the nearest is `dropout`, which zeroes values
stochasticdepth droppathlayer drppath = droppath
activityregularization = | activations are not penalised; the nearest is `l2=1e-4` of a layer, which penalises its weights
add addition eltwise elementwise sum shortcut plus tfadd addv2 = add
subtract sub difference minus average averagelayer maximum minimum mean weightedadd = | branches are merged by `add`, `mul` and `concat`; the nearest is `add`, which sums them
multiply product gate tensormul = mul
dot matmul bmm = | the nearest is `mul`, which multiplies element by element
concatenate cat route densecat stack filterconcat depthconcat joinlayer jointable = concat
skip skipconnection residualblock resblock skipadd = residual
squeezeexcite squeezeexcitation se semodule selayer seblock squeezeandexcitation effectivesemodule = | it is a gate: `mul { id | gap; conv 8 1x1 relu; conv 32 1x1 sigmoid }`
basicblock bottleneck bottleneckblock invertedresidual mbconv convnextblock denseblock inception inceptionmodule ghostmodule fire firemodule c2f c3 csp c3k2 = | it is a block of your own: `block name(c) { … }`; `cnndsl init` has nets made of such blocks
upsampling2d upsampling upsample2d interpolate resize upsamplinglayer upsamplingnearest2d nearestupsample = upsample
upsamplingbilinear2d = upsample | PyTorch's aligns the corners: `upsample 2 bilinear align`
upsampling1d upsampling3d = | images have two sides; the nearest is `upsample`, which enlarges both
pixelshuffle subpixel subpixelconv = pixelshuffle
depthtospace = pixelshuffle | the order is PyTorch's; `pixelshuffle 2 dcr` is TensorFlow's
pixelunshuffle spacetodepth reorg focus = | the nearest is `conv 64 2x2 /2`, which learns what to take from each square
channelshuffle shufflechannel = shuffle
zeropadding2d zeropad2d constantpad2d padding2d padlayer = zeropad
zeropadding1d zeropad1d zeropadding3d zeropad3d constantpad1d constantpad3d = | images have two sides: `zeropad left=1 right=1`
reflectionpad2d reflectionpadding2d mirrorpad reflectpad2d = reflectpad
replicationpad2d replicatepad edgepad2d = edgepad
reflectionpad1d reflectionpad3d replicationpad1d replicationpad3d = | images have two sides: `reflectpad left=1 right=1`, `edgepad left=1 right=1`
circularpad2d circularpad1d circularpad3d = | images do not go round; the nearest is `reflectpad`, which mirrors them
cropping2d centercrop croplayer = crop
chunk narrow channelsplit slicechannel slicelayer stridedslice = slice | each part is a slice: `slice 0 16` and `slice 16`
cropping1d cropping3d = | images have two sides: `crop left=1 right=1`
view reshapelayer unflatten = reshape
permute transpose movedim swapaxes rearrange squeeze unsqueeze expanddims expand repeatvector tile broadcast = | axes keep their order, channels x height x width; the nearest is `reshape`, which keeps the values' order
flattenlayer ravel flat = flatten
identity pass noop nothing passthrough = id
split = | in Caffe it copies, leave it out; in PyTorch and Keras each part is a slice: `slice 0 16` and `slice 16`
lambda lambdalayer customlayer = | there is no code in a spec; a calculation is a chain of layers
lstm gru rnn simplernn lstmcell grucell rnncell convlstm2d convlstm convlstm1d convlstm3d bidirectional timedistributed recurrent crnn stackedrnncells = | nothing here has a state; the nearest is `conv`, which sees the neighbours in space
mamba ssm s4 = | nothing here has a state; the nearest is `conv`, which sees the neighbours in space
embedding embeddingbag embed tokenembedding positionalembedding positionembedding posembed positionalencoding = | inputs are images; the nearest is `dense` on a vector, which multiplies by a table
patchembed patchembedding = | it is a convolution whose stride is its kernel: `conv 96 4x4 /4`
attention selfattention multiheadattention mha multiheadselfattention scaleddotproductattention groupqueryattention groupedqueryattention additiveattention attentionpool crossattention windowattention nonlocal = | positions do not look at each other; the nearest is a gate over channels: `mul { id | gap; conv 8 1x1 relu; conv 32 1x1 sigmoid }`
transformer transformerencoder transformerdecoder transformerencoderlayer transformerdecoderlayer transformerblock vit swin mlpmixer vitblock = | positions do not look at each other; the nearest are blocks of `dwconv 7x7 same`, `ln` and `conv`, as in ConvNeXt
graphconv gcn gcnconv gat gatconv messagepassing = | inputs are images; the nearest is `conv`
yolo gaussianyolo detect region detection yololayer anchor = | boxes are not predicted; a network ends in class scores: `gap; dense 10`
discretization hashing categoryencoding stringlookup integerlookup textvectorization hashedcrossing melspectrogram stft = | inputs are images of numbers: prepare them before
randomflip randomrotation randomzoom randomcrop randomtranslation randombrightness randomcontrast randomerasing = | pictures are changed in training only: `train { augment flip crop=4 }`
masking = | images have no missing steps; leave it out
inputlayer inputdata placeholder inputspec dummydata imagedata = input
include import require load = use
version = cnn
def function module class subgraph macro fn func = block
var const set variable define param = let
elif elsif elseif = else if
for while repeat loop range foreach = | a repeat stands behind its statement: `relu *3`; several make a `block`
sequential model net network layers modulelist moduledict functional graph backbone head features = | a spec is just the list of its layers, one statement a line
activation activationlayer nonlinearity act = | an activation is a word of its own: `relu`
return yield = | name an output with `output logits`; the last statement is one anyway
print summary show = | `cnndsl summary FILE` shows the layers, their shapes and parameters
training trainer = train
up upscale = | it is `upsample 2`, or `upconv 32 2x2 /2` with learned kernels
compile fit evaluate predict = | how a network is trained stands in a section: `train { optimizer adam; epochs 10 }`
l2norm l2normalize = | vectors are not brought to length 1; the nearest is `ln`, which norms the channels of each position
unfold fold im2col = | windows are not taken apart; the nearest is `conv`, which sums over each of them
argmax topk accuracy silence = | leave it out: a network ends in scores of classes, from which `cnndsl run` and `eval` choose
upsamplebilinear = | it is `upsample 2 bilinear`
scalelayer = scale
biaslayer = | a `conv` has a bias by itself; a factor and an offset a channel are `scale`
pow = | the nearest are `elu`, `softplus` and `tanh`
fusedmbconv = | it is a block of your own: `block name(c) { … }`; `cnndsl init` has nets made of such blocks
"""
