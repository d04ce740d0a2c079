"""The maths of ONE net, a file per net: torch only, without folds, pandas or devices.

`@`, `+` and `relu` accept any number of leading axes, so the same lines train one net (x: rows x
features) or thousands (x: splits x 1 x rows x features; w1: splits x members x features x hidden).
Shapes in comments are those of one net, with `...` for the leading axes.
"""
