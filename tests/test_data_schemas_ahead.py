"""Work ahead in a thread: the same items, the same errors, and no thread that is left over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas import threads
from data_schemas.ahead import ahead


@pytest.fixture(autouse=True)
def several_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(threads, "_shared", False)


def left_over() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "ahead"]


@given(items=st.lists(st.integers(), max_size=30), most=st.integers(1, 5))
def test_the_same_items_in_the_same_order(items: list[int], most: int) -> None:
    assert list(ahead(iter(items), most)) == items
    assert not left_over()


def test_items_are_made_while_others_are_used_and_no_more_than_asked() -> None:
    made: list[int] = []

    def slowly() -> Iterator[int]:
        for item in range(50):
            made.append(item)
            yield item

    several = ahead(slowly(), 3)
    assert next(several) == 0
    end = time.monotonic() + 10
    while len(made) < 5 and time.monotonic() < end:
        time.sleep(0.01)
    assert 5 <= len(made) <= 6  # one used, three waiting, one that does not fit, perhaps one begun
    several.close()
    assert not left_over()


def test_an_error_comes_where_its_item_would_and_ends_the_thread() -> None:
    def broken() -> Iterator[int]:
        yield from (1, 2)
        raise OSError("read error")

    got = []
    with pytest.raises(OSError, match="read error"):
        for item in ahead(broken()):
            got.append(item)
    assert got == [1, 2] and not left_over()


def test_a_caller_that_fails_ends_the_thread() -> None:
    def endless() -> Iterator[int]:
        item = 0
        while True:
            yield (item := item + 1)

    def use() -> None:
        for item in ahead(endless()):
            if item == 3:
                raise KeyError(item)

    with pytest.raises(KeyError):
        use()
    end = time.monotonic() + 10
    while left_over() and time.monotonic() < end:
        time.sleep(0.01)
    assert not left_over()


def test_a_worker_of_many_makes_items_as_they_are_asked_for() -> None:
    threads.share_the_cores()
    made: list[int] = []
    several = ahead(made.append(item) or item for item in range(5))  # type: ignore[func-returns-value]
    assert next(several) == 0 and made == [0] and not left_over()
