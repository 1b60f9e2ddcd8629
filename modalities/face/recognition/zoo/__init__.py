"""Systems that the surveys of micro-expression recognition name, as declarations.

Li et al. (2022), "Deep learning for micro-expression recognition: a survey"; Zhang et al. (2024) and others. Each group
is a file of declarations; parts are in `layers_*`, strategies and losses in `schedule_*`.
"""
