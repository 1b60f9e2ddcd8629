"""Make docs/body.md from the spec of the encoder and the table of gestures: `python -m docs.body_page`."""

from __future__ import annotations

from pathlib import Path

from data_schemas.features import FeatureSpec
from data_schemas.gesture_schemes import GEOMETRIC
from modalities.body.features import FEATURES

FILE = Path(__file__).with_name("body.md")

_TEXT = """# Body

Pose, movement, hands and micro-gestures, from a `body_video` stream. `telltale body FILE... -o OUT` does it for
a plain file. Lengths are in the person's own shoulder widths; left and right are the person's own, so the picture
must not be mirrored.

## Features

One sample per pose, 10 a second by default (`--pose-rate`).

| column | unit | range | what it is | source |
|---|---|---|---|---|
{features}

Fingers are looked at 5 times a second (`hands_hz` in the settings of the body channel; 0 leaves them out), in the part
of the full picture where the pose has the hand, and only where the pose surely sees the wrist and the hand is large
enough: 12 px from the wrist to the middle knuckle. A look holds until the next one, and a hand around which nothing
moves keeps its look for up to a second: `SIDE_finger_motion` of it is 0. On drawn hands of known bend
(`python -m benchmarks.body_hands`) 94 % are seen, 77 % of them on the right side, and openness correlates .79 with the
truth: take it for "rather open" or "rather closed". `SIDE_hand_confidence` is low where the model takes the hand for
the other side. Fingers take no part in the gestures below.

## Several people in one video

A body video that is the same file as a face video with `people = [...]` shows these people, from the left of the
picture to the right:

```toml
[[streams]]
name = "faces"
kind = "face_rgb"
file = "room.mp4"
people = ["p01", "p02"]

[[streams]]
name = "bodies"
kind = "body_video"
file = "room.mp4"
```

Faces are followed in it as the face channel follows them, with the same questions and `[[streams.seats]]` answers. Each
body is looked for around a face, by a tracker of its own, and a pose counts only if its head is that face. While a face
is hidden (a hand, a turned head) its body goes on by its joints; it loses its name when neither face nor joints are
found for a second. Where nobody can tell whose body it is, the reason is `unsure_who`. One person alone is followed as
before, without any face: the most prominent one.

## Events

- `hand_to_face`: a hand is at the face. `score` is how deep within its reach the hand came.
- `gesture`: a burst of hand movement above the person's own baseline. `score` is its peak speed.
- `micro_gesture`: a gesture of the table below, or, with `--gesture-model`, of your own recogniser's classes. `score`
  is how sure it is (0..1), `label` the gesture. `details.by` is `geometry` or `network`; `side`, `role`, `confidence`
  (mean visibility of the joints it rests on), and the nearest classes of iMiGUE and MA-52.

## Gestures that geometry decides

| gesture | role | what | iMiGUE | MA-52 |
|---|---|---|---|---|
{gestures}

Joints are cleaned (swaps of left and right undone, spikes out, smoothed), brought to the person's own units, and a head
is fitted to the joints of the face. For every part of the body the evidence for each gesture is summed along the
likeliest sequence of states (Viterbi); what a person usually does within 45 s is no gesture, unless both hands do it.
It runs in blocks of 15 s and looks 15 s ahead. Coordinates in space are used where the tracker gives them: they tell a
hand at the ear from one at the nose when the head is seen from the side.

It was developed on animated people of one range of sizes, angles and distances, and is measured on others, with jitter,
6 % dropouts, 4 % swaps, hidden hands: `python -m benchmarks.body --full` prints recall and precision by gesture. People
differ from animated ones: look at the events of your own videos before you count them. What geometry cannot see (lips,
breath, objects, fingers) needs a trained recogniser.

## A recogniser of your own

`telltale gestures train DATA -o gestures.safetensors` trains a spatial-temporal graph network (Yan et al. 2018) on
labelled skeletons; people are held out whole, and the figures are theirs alone. `telltale body video.mp4 -o out/
--gesture-model gestures.safetensors` then names the gestures that are spotted. In a session's settings of the body
channel the same is `gesture_model`.

DATA is one of:

- `NAME.npz` with `x` (clips, frames, joints, 2 to 4), `y` (names or numbers), `subject`, and where they apply `length`
  (frames of each clip) and `layout`;
- a folder with `labels.csv` (columns `clip`, `label`, `subject`) and for each clip `CLIP.npz` (`keypoints`: frames,
  joints, 2 to 4; perhaps `layout`) or `CLIP.csv` (one row per frame; columns x0, y0, c0, x1, ...; c may be missing).

The last of three values is taken for a confidence where all are within 0..1, and else for a depth, which is not used.
Joints: COCO (17), OpenPose (18, 25 or 137), Kinect v2 (25, `--layout kinect25`), MediaPipe (33), COCO-WholeBody (133).
`--scheme imigue` or `ma52` says what numbers mean as labels. `telltale gestures schemes` lists all classes. A class
named `none` or `background` means that there is no gesture.

## Limits

- Of several people only those are told apart whose faces are seen; somebody who turns away from the start has no body.
- Who sits half behind somebody else may be given that person's arm.
- At 10 poses a second nothing faster than 4.5 Hz is seen; a knee may bounce faster (`--pose-rate 15`).
- `rhythm_hz` is null where no rate stands out of the tracker's jitter.
"""


def page() -> str:
    """The whole page."""
    gestures = "\n".join(
        f"| `{one.name}` | {one.role.replace('_', '-')} | {one.about} | {one.imigue} | {one.ma52} |"
        for one in GEOMETRIC.values()
    )
    return _TEXT.format(features="\n".join(map(_row, FEATURES)), gestures=gestures)


def _row(feature: FeatureSpec) -> str:
    ends = ["" if end is None else f"{end:g}" for end in (feature.low, feature.high)]
    reach = " to ".join(ends) if all(ends) else f"from {ends[0]}" if ends[0] else "any"
    return f"| `{feature.name}` | {feature.unit} | {reach} | {feature.description} | {feature.source} |"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
