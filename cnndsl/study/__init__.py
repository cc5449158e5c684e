"""Search: candidates of a spec's `search` section, proven before they are trained, by Optuna"""
