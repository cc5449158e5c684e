"""Runs of `cnndsl train` as a user starts them, seed by seed: what benchmarks of accuracy share."""

import argparse
import csv
import subprocess
import sys


def trained(spec, out, *flags, **options):
    """The rows of a run's results.csv; what the run tells goes to stderr."""
    words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "cnndsl", "train", spec, "--out", out, *flags, *words]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return list(csv.DictReader((out / "results.csv").open()))


def seeds(text):
    """The numbers of `0,1,2`: the type of an option."""
    return [int(seed) for seed in text.split(",")]


def options(cases, threads):
    """The options that benchmarks of whole runs on CIFAR-10 share."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=list(cases))
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--seeds", type=seeds, default="0,1,2")
    parser.add_argument("--threads", type=int, default=threads)
    return parser
