"""The body channel's look at a video while another channel reads it, so that a file of both is decoded once."""

from __future__ import annotations

from contextlib import ExitStack

from data_schemas.stream import Frame, Video
from modalities.body.observation import BodyObserver, BodySettings
from modalities.body.people import BodiesObserver
from modalities.body.pose import lending, tracking
from modalities.face.models import FaceModels
from modalities.face.tracking import PeopleTracker


class BodyListener:
    """Takes each frame of a body video when another channel reads it, as `observation.look_through` would.

    Trackers are lent at the first frame and given back at the end: only one video is read at a time.

    Args:
        video: The body video.
        settings: Of the body channel.

    Attributes:
        seen: What looked at the video, once all of it has been seen; None before, and where it was not.
    """

    def __init__(self, video: Video, settings: BodySettings) -> None:
        self._video, self.settings = video, settings
        self._lent = ExitStack()
        self._looking: BodyObserver | BodiesObserver | None = None
        self.seen: BodyObserver | BodiesObserver | None = None

    @property
    def whole(self) -> bool:
        """See `modalities.base.Listener.whole`."""
        return self.seen is not None

    def take(self, frame: Frame) -> None:
        """See `modalities.base.Listener.take`.

        Raises:
            BlockingIOError: another video of this process has the trackers.
        """
        if self._looking is None:
            self._looking = self._begin()
        self._looking.take(frame)

    def end(self) -> None:
        """See `modalities.base.Listener.end`."""
        try:
            if isinstance(self._looking, BodiesObserver):
                self._looking.finish()
            self.seen, self._looking = self._looking, None
        finally:
            self._lent.close()

    def drop(self) -> None:
        """See `modalities.base.Listener.drop`."""
        self._looking = self.seen = None
        self._lent.close()

    def _begin(self) -> BodyObserver | BodiesObserver:
        people = self._video.info.people
        if not people:
            return BodyObserver(self._lent.enter_context(tracking(wait=False)), self._video, self.settings)
        trackers, models = self._lent.enter_context(lending(wait=False)), FaceModels()
        self._lent.callback(models.release, 0)
        faces = PeopleTracker(models, people, self._video.info.seats)
        return BodiesObserver(trackers, faces, people, self._video, self.settings)
