"""The maths of ONE net, a file per net: torch only. No fold, no pandas, no device is known here.

`@`, `+` and `relu` do not care how many leading axes their tensors have, so the same lines train
one net (x: rows x features) or thousands (x: splits x 1 x rows x features; w1: splits x members x
features x hidden). Shapes are written for one net, with `...` for whatever leads.
"""
