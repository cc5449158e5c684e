# ruff: noqa: E501  (a line of a table is one entry)
"""Arguments of other frameworks' layers, losses and optimizers: those with a key here."""

TABLE = """
kernelsize kernel ksize kernelshape windowsize window poolsize size filtersize receptivefield = k
strides substr subsample step = stride
dilationrate dilations atrous = dilation
kernelinitializer weightinitializer winit initializer kernelinit weightfiller depthwiseinitializer = init
kernelregularizer wregularizer weightregularizer depthwiseregularizer = l2
group numgroups ngroups featuregroupcount = groups
epsilon epsvalue = eps
rate prob dropprob dropoutrate dropratio probability pdrop = p
keepprob = | `p` is the share that is zeroed, 1 − keep_prob
negativeslope slope leakiness alphainit = alpha
depthmultiplier channelmultiplier = multiplier
outputpadding = extra
learningrate baselr lr0 initiallr = lr
stepsize = every
weightdecay wd decayrate l2penalty = decay
labelsmoothing smoothing = smooth
classweight classweights weight posweight = weights
beta1 b1 = beta1
beta2 b2 = beta2
rho = alpha
warmupepochs warmupsteps = warmup
minlr etamin endlearningrate finallr = floor
pctstart = rise
divfactor = start
finaldivfactor = final
factor decayfactor = gamma
milestones = at
"""
