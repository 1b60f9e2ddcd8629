"""Work done ahead in a thread: the next picture is decoded and searched while the present one is being measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

from data_schemas.threads import may_overlap

T = TypeVar("T")
_END = object()
_LOOK_S = 0.05
"""How often a thread that waits looks whether anybody still wants its work."""


class _Broken:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def ahead(items: Iterable[T], most: int = 2) -> Iterator[T]:
    """The same items in the same order, up to `most` of them made in a thread before they are asked for.

    Where this process may not use several cores (`threads.may_overlap`) they are made one by one as they are asked for.
    What making an item raises, asking for it raises. A caller that stops early, or fails, ends the thread.

    Args:
        items: Whatever makes them must not be touched by anybody else meanwhile.
        most: How many may wait; memory grows with them.
    """
    if not may_overlap():
        yield from items
        return
    waiting: Queue[object] = Queue(most)
    unwanted = Event()

    def put(item: object) -> bool:
        while not unwanted.is_set():
            try:
                waiting.put(item, timeout=_LOOK_S)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_END)
        except BaseException as error:  # noqa: BLE001 - raised again where the item is asked for
            put(_Broken(error))

    maker = Thread(target=make, name="ahead", daemon=True)
    maker.start()
    try:
        while (item := waiting.get()) is not _END:
            if isinstance(item, _Broken):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        unwanted.set()
        while maker.is_alive():
            try:
                waiting.get_nowait()
            except Empty:
                maker.join(_LOOK_S)
