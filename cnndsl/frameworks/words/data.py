# ruff: noqa: E501  (a line of a table is one entry)
"""Data sets that other frameworks bring along."""

TABLE = """
cifar cifar10dataset = cifar10
cifar100 = | the nearest is `data cifar10`, its pictures in 10 classes; cifar100 as pictures is a folder: `data "cifar100"`
mnistdataset digits handwrittendigits = mnist
fashionmnist fashion fmnist = | `data mnist` has digits of the same size; as pictures it is a folder: `data "fashion_mnist"`
kmnist emnist qmnist usps omniglot notmnist = | `data mnist` has digits of the same size; as pictures it is a folder: `data "folder"`
imagenet imagenet1k ilsvrc ilsvrc2012 imagenet21k tinyimagenet imagenette imagewoof imagenet2012 = | it is a folder of pictures, one folder a class: `data "imagenet"`
svhn stl10 celeba lfw lsun flowers flowers102 oxfordflowers102 tfflowers pets oxfordiiitpet food101 caltech101 caltech256 caltech places365 dtd gtsrb eurosat pcam sun397 cub200 stanfordcars fgvcaircraft aircraft catsvsdogs dogsvscats beans horsesorhumans rockpaperscissors country211 = | it is a folder of pictures, one folder a class: `data "folder"`
coco cocodetection vocdetection kitti widerface = | boxes are not read here; the nearest is a folder of pictures, one folder a class
voc pascalvoc vocsegmentation cityscapes ade20k sbd camvid = | masks are a folder with `images` and `masks` in it: `data "folder"`; boxes are not read here
medmnist pathmnist chestmnist dermamnist octmnist pneumoniamnist retinamnist bloodmnist organamnist = | it is an .npz file: `data "pathmnist.npz"`
imagefolder imagefolderdataset flowfromdirectory imagedatasetfromdirectory folder directory tensordataset fakedata synthetic random = | a folder of pictures, one folder a class, stands in quotes: `data "folder"`
imdb reuters bostonhousing californiahousing iris wine titanic = | inputs are images; arrays of numbers are an .npz file: `data "file.npz"`
"""
