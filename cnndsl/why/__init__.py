"""What an answer rests on: heat maps over images, by gradients or by covering parts of them."""
