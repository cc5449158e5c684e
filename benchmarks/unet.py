"""The training step of a U-Net of 16 to 128 channels against torch: time and peak memory.

    python benchmarks/unet.py [SIZE:BATCH …] [--rounds 5] [--threads 2]
        [--rivals eager,channels_last]

Cross entropy of each pixel and SGD, images of 3×SIZE×SIZE. torch's net is that of tasks.py.
"""

from train_step import calibrated_step
from turns import options, run_all

CASES = "128:8 256:8"
RIVALS = ("eager", "channels_last")
WIDTHS = (16, 32, 64, 128)
SPEC = """input 3x{size}x{size}
block double(c) {{ conv c 3x3 same bn relu *2 }}
e1: double 16; pool 2
e2: double 32; pool 2
e3: double 64; pool 2
double 128
concat {{ from e3 | upconv 64 2x2 /2 }}; double 64
concat {{ from e2 | upconv 32 2x2 /2 }}; double 32
concat {{ from e1 | upconv 16 2x2 /2 }}; double 16
conv 5 1x1
train {{ task segmentation; optimizer sgd lr=0.01 momentum=0.9; batch {batch} }}
"""


def our_step(size, batch, threads):
    from cnndsl.api import parse

    model = parse(SPEC.format(size=size, batch=batch)).ir
    recipe = model.recipe.resolved(model.output_shapes()[model.main_output])
    return calibrated_step(model, recipe, batch, threads)


def torch_step(size, batch, threads, variant):
    import torch
    from tasks import UNet

    torch.set_num_threads(threads)
    form = torch.channels_last if variant == "channels_last" else torch.contiguous_format
    net = UNet(WIDTHS).to(memory_format=form)
    update = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    x = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    y = torch.randint(0, 5, (batch, size, size))

    def step():
        update.zero_grad(set_to_none=True)
        out = net((x.float() / 255).contiguous(memory_format=form))
        torch.nn.functional.cross_entropy(out, y).backward()
        update.step()

    return step


def work(program, case, threads):
    size, batch = map(int, case.split(":"))
    if program == "ours":
        return our_step(size, batch, threads)
    return torch_step(size, batch, threads, program)


if __name__ == "__main__":
    run_all(options(CASES, RIVALS), work, __file__)
