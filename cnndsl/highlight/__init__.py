"""How a spec is coloured: one table of rules, from which Pygments and the editors are served."""
