"""Make the picture of docs/spotting.md, every spotter on one face: `python -m docs.pictures.spotters`.

A public-domain photograph smiles for 0.4 s and frowns for 1.6 s. The darker, the more evidence; brackets are findings.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modalities.face.models import borrowed_models
from modalities.face.observation import FaceObserver
from modalities.face.spotting.base import SPOTTERS, FaceSignals, load_spotter, reducers_of
from modalities.face.synthesis.events import PlantedExpression
from modalities.face.synthesis.planting import animate

FILE = Path(__file__).with_name("spotters.png")
FPS, SECONDS = 20.0, 9.5
NOISE = 1.5
PLANTED = (
    PlantedExpression("micro", ("au12_left", "au12_right"), 2.5, 2.65, 2.7, 2.9, 5.0),
    PlantedExpression("macro", ("au04",), 6.0, 6.6, 7.0, 7.6, 8.0),
)
COLOURS = {"micro": "#c2410c", "macro": "#1d4ed8"}


def main() -> None:
    """Draw it."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    signals = watch()
    times = signals.times_ns / 1e9
    figure, axes = pyplot.subplots(figsize=(9, 0.36 * len(SPOTTERS) + 0.9), layout="constrained")
    for row, name in enumerate(SPOTTERS):
        said = load_spotter(name).spot(signals)
        extent = (times[0], times[-1], row + 0.42, row - 0.42)
        axes.imshow(said.evidence[None], extent=extent, aspect="auto", cmap="Greys", vmin=0, vmax=1, alpha=0.6)
        for one in said.expressions:
            place = row + (0.12 if one.kind == "micro" else 0.3)
            onset, offset = one.onset_ns / 1e9, one.offset_ns / 1e9
            axes.plot([onset, offset], [place, place], color=COLOURS[one.kind], linewidth=2, solid_capstyle="butt")
    for event in PLANTED:
        axes.axvspan(event.onset_s, event.offset_s, color=COLOURS[event.kind], alpha=0.15, linewidth=0)
        axes.text(event.onset_s, -0.65, f"{event.kind}, planted", color=COLOURS[event.kind], fontsize=9)
    axes.set(ylim=(len(SPOTTERS) - 0.5, -1.1), xlim=(0, SECONDS), xlabel="s", yticks=range(len(SPOTTERS)))
    axes.set_yticklabels(list(SPOTTERS))
    figure.savefig(FILE, dpi=110)


def watch() -> FaceSignals:
    """The moving face as every spotter sees it."""
    from modalities.face.analysis import make_signals
    from pipeline.simulate.face_portrait import load_photograph

    times = np.arange(0, SECONDS, 1 / FPS)
    photograph = np.ascontiguousarray(load_photograph("hopper")[37:426, 65:455])
    rng = np.random.default_rng(0)
    with borrowed_models() as models:
        observer = FaceObserver(models, reducers_of(load_spotter(name) for name in SPOTTERS))
        for t, picture in zip(times.tolist(), animate(photograph, times, PLANTED), strict=True):
            noisy = picture + rng.normal(0, NOISE, picture.shape)
            observer.add(np.clip(noisy, 0, 255).astype(np.uint8), round(t * 1e9))
        rows, reduced = observer.rows(), observer.reduced()
    return make_signals(rows, rows["found"], reduced)[0]


if __name__ == "__main__":
    main()
