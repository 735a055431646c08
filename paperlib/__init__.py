"""Models, losses and protocols of five papers on uncertainty in affect.

For one's own code: `losses`, `metrics`, `stats`, `labels` and `models` stand alone, each imported by name, such as
`from paperlib.losses import kl_continuous`. `tracks` are the data by name, `tasks` what a run does; `companion` turns
runs into pages.
"""
