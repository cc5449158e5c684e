# ruff: noqa: E501  (a line of a table is one entry)
"""What other frameworks set around a training, and their changes of pictures."""

TABLE = """
batchsize bs minibatch perdevicetrainbatchsize trainbatchsize batchsizepergpu = batch
epoch numepochs maxepochs nepochs numtrainepochs trainepochs nbepoch = epochs
maxiter maxsteps maxbatches steps iterations stepsperepoch = | a training is counted in passes over the data: `epochs 10`
optim optimiser solver solvertype algorithm opt = optimizer
criterion objective lossfn lossfunction costfunction cost = loss
scheduler lrscheduler learningrateschedule lrschedule lrpolicy sched policy = schedule
reducelronplateau plateau = | it is a schedule: `schedule plateau patience=5`
dataset datadir datapath trainset traindata traindataset dataloader trainloader datasets = data
earlystopping earlystop patience earlystoppingpatience stopping earlystoppingrounds stopafter = stop
clipnorm clipgrad gradclip maxnorm clipgradnorm gradientclipval maxgradnorm globalclipnorm gradclipnorm gradientclipping gradnorm = clip
clipvalue clipgradvalue = | the nearest is `clip 1.0`, which bounds the length of the whole gradient
emadecay modelema movingaverage ewa averagedmodel = ema
useema swa polyak = | a moving mean of the weights is `ema 0.999`
randomseed manualseed randomstate setseed rngseed rng = seed
augmentation augmentations transforms transform dataaugmentation aug preprocessing = augment
learningrate baselr lr0 initiallr initlr eta lrate = lr
weightdecay wd l2reg regularization weightdecayrate = decay
epsilon = eps
labelsmoothing smoothing = smooth
warmupepochs warmupsteps numwarmupsteps warmupratio = warmup
shuffle shuffledata shuffletrain reshuffle = | leave it out: the order of the pictures is new in every epoch
verbose numworkers workers pinmemory droplast prefetch cache persistentworkers = | leave it out: it is no part of the recipe
metrics metric scoring = | leave it out: `loss` and `accuracy` are always measured
validationsplit valsplit valfraction validationfraction testsplit testsize validationsize valsize valshare valid val split = holdout
validationdata valdata testdata validation valset = | leave it out: where a data set has no held-out part, a fifth of it is held out
device gpu gpus accelerator cuda ngpus devices = | leave it out: it is an option, `cnndsl train --device cuda`
fp16 amp mixedprecision mixedfloat16 half float16 autocast gradscaler lossscale = | float16 with weights in float32 is `precision fp16`, for CUDA
bf16 bfloat16 = | there is no bfloat16; float16 with weights in float32 is `precision fp16`, for CUDA
dtype = | leave it out: numbers are float32, or with `precision fp16` float16 on CUDA
callbacks checkpoint savebest modelcheckpoint savedir savefreq tensorboard csvlogger logdir loginterval outputdir project = | leave it out: the run folder keeps the curves, the last and the best weights
monitor = watch
restorebestweights savebestonly = | leave it out: the best weights are kept
numclasses nclasses classes inputshape inputsize imgsize imgsz imagesize = | leave it out: the last layer and `input` say it
pretrained initweights initcheckpoint = | a file of weights to start from is `weights "resnet18.pth"`
finetune = | layers that do not learn are `freeze "body"`; a file of weights to start from is `weights "resnet18.pth"`
resume = | leave it out: it is an option, `cnndsl train --resume`
threads numthreads njobs processes distributed worldsize = | leave it out: it is an option of `cnndsl train`
burnin = | it is a key, in epochs: `schedule cosine warmup=1`
scales stepvalue milestones = | epochs of drops are a schedule: `schedule multistep "30 60"`
angle exposure aspect reprob remode = | pictures are changed by `augment rotate=10 jitter=0.2 erase=0.2`
solvermode testiter testinterval testinitialization snapshot snapshotprefix display debuginfo averageloss = | leave it out: it is no part of the recipe
droppath droppathrate dropblock drop dropoutrate = | it is a layer of the network: `droppath 0.1`, `dropout 0.1`
distill distillation teacher teachermodel = | there is no teacher here; leave it out
power = | it stands behind its schedule: `schedule polynomial 0.9`
accumulate subdivisions gradaccum accumulategradbatches gradientaccumulationsteps = | leave it out: a batch may be as large as wanted, it is worked through in parts
"""

AUGMENTATION = """
hflip horizontalflip randomhorizontalflip fliplr randomflip mirror flipleftright randomflipleftright = flip
randomcrop padcrop shift randomshift cropsize = crop
erasing randomerasing reprob coarsedropout = erase
cutoutsize = cutout
gridmask gridmasks hideandseek = | the nearest are `cutout=8`, a square, and `erase=0.2`, a rectangle
mixupalpha = mixup
cutmix cutmixalpha snapmix fmix = | the nearest is `mixup=0.2`, which blends whole pictures
brightness contrast colorjitter randombrightness randomcontrast colourjitter exposure brightnessrange = jitter
hsv = | they are keys, one by one: `hue=0.1 saturation=0.2 jitter=0.2`
centercrop resize letterbox = | leave it out: pictures get the size of `input` when they are read
vflip verticalflip randomverticalflip flipud = | the nearest is `flip`, left to right
randaugment autoaugment trivialaugment trivialaugmentwide augmix aa = | the nearest are `flip crop=4 cutout=8 jitter=0.2`, named one by one
rotate rotation randomrotation rotationrange degrees angle = rotate
shear shearrange affine randomaffine = | the nearest are `rotate=10 zoom=0.1 translate=0.1`, named one by one
zoom zoomrange randomzoom randomresizedcrop scale = zoom
translate translation widthshiftrange heightshiftrange randomtranslation = translate
hue = hue
saturation = saturation
mosaic copypaste perspective elastic blur gaussianblur noise gamma channelshuffle grayscale invert solarize posterize equalize sharpness = | the nearest are `flip crop=4 cutout=8 jitter=0.2`
normalize totensor rescale mean std = | leave it out: images arrive as 0…1, and training norms them by the mean and deviation of its images
"""
