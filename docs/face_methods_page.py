"""Make docs/face_methods.md from the tables of divisions and descriptors: `python -m docs.face_methods_page`."""

from __future__ import annotations

from pathlib import Path

from modalities.face.descriptors.registry import DESCRIPTORS
from modalities.face.divisions.base import DIVISIONS

FILE = Path(__file__).with_name("face_methods.md")
_ABOUT = {
    "blocks": ("no", "a grid over the whole picture"),
    "facs": ("yes", "18 hulls over the muscles, each with the action units that show there (`facs.UNITS_OF`)"),
    "eye-cheek-mask": ("yes", "the face without eyes (blinks) and cheeks (noise of smooth skin)"),
    "eye-mouth": ("yes", "each eye with its brow, and the mouth"),
    "difference": ("no", "where the clip differs most from its first picture"),
    "patches": ("yes", "squares of one size around the middle of regions of the mesh"),
}

_TEXT = """# Magnification, interpolation, regions, descriptors

The classical tools of micro-expression research, for scripts and for `telltale me bench`. All take aligned grey
clips, uint8 `(t, h, w)`, one expression each; a clip is held in memory.

## Motion magnification

```python
from modalities.face.magnification.base import Band, find_magnifier

larger = find_magnifier("riesz").magnify(clip, 8)  # all that differs from the first picture
larger = find_magnifier("riesz", band=Band(1, 8, rate_hz=100)).magnify(clip, 8)  # only a band of frequencies
```

![A smile of 0.5 %, magnified 8 times in three ways, and one of 4 %](pictures/magnification.png)

| name | what | 0.5 % by 8 (asked: 4 %) | noise |
|---|---|---|---|
| `eulerian` | linear EVM (Wu et al. 2012) | 2.6 to 3.5 %; coarser than 19 px: 4.3 to 4.7 % | 7.9 times |
| `riesz` | phase with the Riesz transform (Wadhwa et al. 2014) | 3.3 to 4.2 % | 2.8 times |
| `lagrangian` | global Lagrangian, GLMM (Le Ngo et al. 2018) | 4.0 to 4.9 % | 1.6 times |
| `learned` | your own TorchScript network, `file=` | its own | its own |

Percent of the inter-ocular distance, a corner of the mouth of photographed faces 60 px between the eyes, with and
without noise: `python -m benchmarks.magnification --full`. Linear magnification cannot move detail finer than 8 times
the magnified movement; it makes it brighter and darker instead. Whatever you take, magnify all classes alike: what a
method adds, a recogniser can learn.

A network is a file written by `torch.jit.save` with `forward(first, now, factor) -> picture`: pictures float32 `(n,
1, h, w)` over 0..1, factor `(n, 1, 1, 1)`. It is looked into before it is loaded; pickles, and code that does more
than compute with tensors, are refused.

## Temporal interpolation, one picture for a clip

`interpolation.length.bring_to_length(clip, frames, "tim")` runs along the path-graph curve through all pictures
(Zhou, Zhao & Pietikainen 2011); `"linear"` between neighbours. TIM follows smooth motion much more closely (a test:
less than half the error); where noise outweighs motion, linear interpolation is the better of the two, since it
averages.

`interpolation.summary.dynamic_image(clip)` is approximate rank pooling (Bilen et al. 2016); `active_image(clip)`
keeps the face and draws its changes.

![First picture, apex, dynamic image and active image of a smile](pictures/clip_pictures.png)

## Regions

```python
from modalities.face.divisions.base import find_division

regions = find_division("facs").divide(clip, points)  # points: MediaPipe's mesh in pixels of the clip
regions.names, regions.masks, regions.means(clip)  # (k,), bool (k, h, w), (t, k)
```

![The six divisions](pictures/regions.png)

| name | needs landmarks | what |
|---|---|---|
{divisions}

## Descriptors

```python
from modalities.face.descriptors.registry import find_descriptor

describe = find_descriptor("lpq-top").make(grid=4, frames=12, way="tim")
vectors = describe.describe(clips)  # clips: object array (n,) of uint8 (t, h, w); float32 (n, d)
find_descriptor("hoof").of_clips().describe(clips)  # descriptors of flow measure it from first picture to apex
```

| name | paper | year | takes | numbers | what differs here |
|---|---|---|---|---|---|
{descriptors}

All that take clips have `grid` (cells a side; several, as in `grid=(1, 2, 4, 8)`, make a hierarchy), `grid_t`,
`frames` and `way`. Each is checked against plain loops over voxels (`benchmarks/descriptor_references.py`), and takes
at most a tenth of their time: `python -m benchmarks.descriptors` prints both, and how well each tells simulated
expressions of strangers apart. Where the column on the right speaks of our reading, the paper's formula was not at
hand: do not cite the row as the paper's.

Each has a row with a linear and a radial support vector machine, `NAME-linear` and `NAME-rbf`; descriptors of flow
also as `NAME-clip-linear` and `NAME-clip-rbf`, which measure the flow of clips:

    python -m benchmarks.descriptors --write clips
    telltale me bench --data clips --models lbp-top-linear,bi-woof-clip-rbf
    telltale me bench --data flow_maps --models hoof-rbf,fhofo-rbf

## On one bench

Every method is a row of `telltale me bench`, on the same clips, with its time (`ms_per_sample`: preparing and
answering one clip, without training):

    telltale me bench --simulated --models all --protocol kfold -j 2
    telltale me bench --data clips --models magnified-riesz,length-tim,regions-facs,dynamic-image,lbp-top-linear

`magnified-*` magnifies 4 times, `length-*` brings clips to 20 pictures, `regions-*` counts patterns region by region;
then comes LBP-TOP and a linear support vector machine, the same for all, so that `lbp-top-linear` is what they are to
be compared with. `dynamic-image` and `active-image` are described by histograms of gradients. `--magnifier FILE` adds
your own network as `magnified-learned`. Clips keep no landmarks: regions lie where a usual face has them, on aligned
pictures; a column `eyes` (`0.5 0.38 0.36`: the middle between the eyes across and down, their distance, shares of the
picture) says so where a clip is cut otherwise.

A folder of clips holds npz files: `x` (pictures of all clips one after the other, uint8 `(total, h, w)`), `frames`
(pictures of each clip), `y` (0 negative, 1 positive, 2 surprise), `subject`, `dataset`, `clip`.
`recognition.clip_set.write_clip_set` writes them.
"""


def page() -> str:
    """The whole page."""
    divisions = "\n".join(f"| `{name}` | {_ABOUT[name][0]} | {_ABOUT[name][1]} |" for name in DIVISIONS)
    rows = [entry.row() for entry in DESCRIPTORS.values()]
    descriptors = "\n".join(
        f"| `{row['name']}` | {row['paper']} | {row['year']} | {'clips' if row['takes'] == 'clip' else 'flow'} | "
        f"{row['dimension']} | {row['ours']} |"
        for row in rows
    )
    return _TEXT.format(divisions=divisions, descriptors=descriptors)


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
