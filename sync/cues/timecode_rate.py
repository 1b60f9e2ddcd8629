"""Rates of SMPTE timecode: how frames are counted, and how long they last."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from data_schemas.errors import InvalidValueError

if TYPE_CHECKING:
    from timecode import Timecode


@dataclass(frozen=True, slots=True)
class Rate:
    """One way of counting frames (SMPTE ST 12-1).

    Attributes:
        name: "23.98", "24", "25", "29.97", "29.97 drop" or "30".
        count: Frame numbers within one second of timecode.
        frame_s: Length of a frame in seconds of true time.
        drop: Whether two numbers are left out at each minute that is no tenth.
    """

    name: str
    count: int
    frame_s: Fraction
    drop: bool = False

    @property
    def day_frames(self) -> int:
        """Frames until the timecode is 00:00:00:00 again."""
        return self.number(23, 59, 59, self.count - 1) + 1

    def number(self, hours: int, minutes: int, seconds: int, frames: int) -> int:
        """Frames since 00:00:00:00.

        Raises:
            InvalidValueError: there is no such timecode at this rate.
        """
        dropped = self.drop and frames < 2 and seconds == 0 and minutes % 10 != 0
        if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 60 and 0 <= frames < self.count) or dropped:
            raise InvalidValueError(
                f"no such timecode at {self.name} frames per second",
                got=f"{hours:02d}:{minutes:02d}:{seconds:02d}:{frames:02d}",
            )
        mark = ";" if self.drop else ":"
        return int(_counter(self).tc_to_frames(f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{frames:02d}")) - 1

    def address(self, number: int) -> tuple[int, int, int, int]:
        """Hours, minutes, seconds and frames of a frame since midnight; counts on over midnight."""
        hours, minutes, seconds, frames = _counter(self).frames_to_tc(number % self.day_frames + 1)
        return int(hours), int(minutes), int(seconds), int(frames)

    def label(self, number: int) -> str:
        """The timecode in writing: "10:59:58:24", with ";" before the frames where numbers are dropped."""
        hours, minutes, seconds, frames = self.address(number)
        return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if self.drop else ':'}{frames:02d}"


RATES = (
    Rate("23.98", 24, Fraction(1001, 24000)),
    Rate("24", 24, Fraction(1, 24)),
    Rate("25", 25, Fraction(1, 25)),
    Rate("29.97", 30, Fraction(1001, 30000)),
    Rate("29.97 drop", 30, Fraction(1001, 30000), drop=True),
    Rate("30", 30, Fraction(1, 30)),
)


@cache
def _counter(rate: Rate) -> Timecode:
    from timecode import Timecode

    return Timecode(rate.name.split()[0], force_non_drop_frame=not rate.drop)
