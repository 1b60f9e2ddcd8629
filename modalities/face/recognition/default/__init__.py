"""The default recogniser: negative, positive or surprise, learnt from simulated faces alone, or "unsure".

`measures` asks whether there is anything to recognise and describes what there is, `recogniser` says what it means,
`system` lets the benches run it. Its weights lie beside this file; `python -m pipeline.simulate.recogniser_model`
rebuilds them.
"""
