"""From syntax to model: the only place that knows both syntax and layers."""
