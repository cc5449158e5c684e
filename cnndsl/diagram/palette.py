"""The looks of a picture: Okabe and Ito's colours, which colour-blind readers tell apart."""

FONT = '"Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif'

ACCENT = {
    "conv": ("#0072b2", "#56b4e9"),
    "norm": ("#a8568a", "#cc79a7"),
    "activation": ("#c98a00", "#e69f00"),
    "pool": ("#c14f00", "#e8793a"),
    "dense": ("#00805c", "#2fbf94"),
    "merge": ("#4d5964", "#aab4be"),
    "other": ("#8a949e", "#7b858f"),
    "ink": ("#3a444d", "#c3cbd3"),
}
"""Stripes and bars of a family, on a light and on a dark page."""

TINT = {
    "conv": ("#eaf3fa", "#16283a"),
    "norm": ("#f8eef4", "#33202d"),
    "activation": ("#fdf4dd", "#332811"),
    "pool": ("#fcefe6", "#37231a"),
    "dense": ("#e5f4ef", "#13302a"),
    "merge": ("#eef1f4", "#2a3138"),
    "other": ("#f6f7f8", "#22282e"),
}
"""Fills of the boxes."""

INK = {
    "ink": ("#1d242b", "#e8ecf0"),
    "soft": ("#5a6570", "#a4aeb8"),
    "shape": ("#69747f", "#98a2ac"),
}
"""Texts."""

PAGE = ("#ffffff", "#14181c")
WIRE = ("#7d8893", "#7d8893")
FRAME = ("#fafbfc", "#1a1f24")
BORDER = ("#c3cad1", "#434c55")
