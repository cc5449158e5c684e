"""Ways to run a training step, each a file that fulfils `base.Stepper`."""
