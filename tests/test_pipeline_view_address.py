"""The viewer listens on loopback alone, at an address that nobody can guess from an earlier one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil

from pipeline.view.coding import Desk
from pipeline.view.pages import Shown
from pipeline.view.server import serve

PATIENCE_S = 120


def status(address: str) -> int:
    try:
        with urlopen(address, timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def listening() -> set[tuple[str, int]]:
    """Where this process can be reached."""
    every = psutil.Process().net_connections("inet")
    return {(one.laddr.ip, one.laddr.port) for one in every if one.status == psutil.CONN_LISTEN}


async def start_twice(folder: Path) -> tuple[list[str], set[tuple[str, int]], list[int]]:
    """Two viewers at once: their addresses, what was opened, and what each says to its own and the other's token."""
    before, stop, told = listening(), asyncio.Event(), asyncio.Queue[str]()
    shown = Shown("<p>page</p>", {}, [])
    tasks = [asyncio.create_task(serve(shown, Desk(folder, [], []), 0, told.put_nowait, stop)) for _ in range(2)]
    addresses = [await asyncio.wait_for(told.get(), PATIENCE_S) for _ in tasks]
    opened = listening() - before
    own, other = (urlsplit(one) for one in addresses)
    asked = [*addresses, own._replace(path=other.path).geturl(), own._replace(path="/").geturl()]
    answers = [await asyncio.to_thread(status, address) for address in asked]
    stop.set()
    await asyncio.gather(*tasks)
    return addresses, opened, answers


def test_loopback_alone_and_a_new_token_each_time(tmp_path: Path) -> None:
    addresses, opened, answers = asyncio.run(start_twice(tmp_path))
    parts = [urlsplit(one) for one in addresses]
    assert opened == {("127.0.0.1", one.port) for one in parts} and len(opened) == 2
    tokens = [one.path.strip("/") for one in parts]
    assert tokens[0] != tokens[1] and min(map(len, tokens)) >= 32
    assert answers == [200, 200, 403, 404]
