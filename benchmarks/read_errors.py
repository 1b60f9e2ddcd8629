"""A disk that cannot read a file beyond some byte, made by the kernel: what a program then meets is a real EIO.

A child process installs a seccomp filter that asks this process about each `read`, `pread64` and `readv` (seccomp(2),
SECCOMP_RET_USER_NOTIF; Linux 5.5 and later, no privileges). Reads of the file that reach beyond the bad byte fail, all
others go on. So every library is met, whatever language it is written in.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import select
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path

_CALLS = {
    "x86_64": {"arch": 0xC000003E, "seccomp": 317, "read": 0, "readv": 19, "pread64": 17, "preadv": 295},
    "aarch64": {"arch": 0xC00000B7, "seccomp": 277, "read": 63, "readv": 65, "pread64": 67, "preadv": 69},
}
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTICE = struct.Struct("=QIIiIQ6Q")
_NO_NEW_PRIVILEGES, _FILTER_MODE, _NEW_LISTENER = 38, 1, 8
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_GO_ON = 1


@cache
def available() -> bool:
    """Whether this system can do it, and lets us: containers may refuse filters on system calls."""
    if not sys.platform.startswith("linux") or platform.machine() not in _CALLS:
        return False
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if release < (5, 5) or not os.path.exists("/proc/sys/kernel/seccomp/actions_avail"):
        return False
    try:
        return with_bad_file(Path(__file__), 0, lambda: "done")[0] == "done"
    except OSError:
        return False


def with_bad_file(bad: Path, from_byte: int, work: Callable[[], str]) -> tuple[str, int]:
    """Do something in a child process for which a file cannot be read from some byte on.

    Args:
        bad: The file.
        from_byte: The first byte that cannot be read.
        work: What to do; what it returns comes back. An error of it comes back as its traceback.

    Returns:
        What `work` returned, and how many reads failed.

    Raises:
        OSError: the system refuses the filter.
    """
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _child(ours, theirs, reading, writing, work)
    theirs.close()
    os.close(writing)
    _, handles, _, _ = socket.recv_fds(ours, 1, 1)
    if not handles:
        os.waitpid(child, 0)
        raise OSError(errno.ENOSYS, "the system refuses a filter on system calls")
    failed = 0
    said = b""
    target = os.path.realpath(bad)
    listener, poller = handles[0], select.poll()
    poller.register(listener, select.POLLIN)
    poller.register(reading, select.POLLIN)
    while True:
        ready = dict(poller.poll())
        if ready.get(listener, 0) & select.POLLIN:
            failed += _answer(listener, target, from_byte)
        if reading in ready:
            piece = os.read(reading, 65536)
            if not piece:
                break
            said += piece
    os.close(listener)
    os.close(reading)
    ours.close()
    os.waitpid(child, 0)
    return said.decode("utf-8", "replace"), failed


def _child(ours: socket.socket, theirs: socket.socket, reading: int, writing: int, work: Callable[[], str]) -> None:
    try:
        ours.close()
        os.close(reading)
        listener = _install()
        socket.send_fds(theirs, [b"l"], [listener])
        os.close(listener)
        try:
            said = work()
        except BaseException:  # noqa: BLE001 - the parent is told whatever it was
            said = traceback.format_exc()
        os.write(writing, said.encode()[:60_000])
    finally:
        os._exit(0)


def _install() -> int:
    """The filter on this process; the handle by which it is asked.

    Raises:
        OSError: the system refuses.
    """
    calls = _CALLS[platform.machine()]
    asked = [calls[name] for name in ("read", "readv", "pread64", "preadv")]

    def line(code: int, yes: int, no: int, value: int) -> bytes:
        return struct.pack("=HBBI", code, yes, no, value)

    load, equal, give = 0x20, 0x15, 0x06
    program = [line(load, 0, 0, 4), line(equal, 0, len(asked) + 1, calls["arch"]), line(load, 0, 0, 0)]
    program += [line(equal, len(asked) - at, 0, number) for at, number in enumerate(asked)]
    program += [line(give, 0, 0, _ALLOW), line(give, 0, 0, _ASK)]
    text = ctypes.create_string_buffer(b"".join(program))
    about = struct.pack("=H6xQ", len(program), ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no new privileges")
    handle = int(libc.syscall(calls["seccomp"], _FILTER_MODE, _NEW_LISTENER, ctypes.create_string_buffer(about)))
    if handle < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return handle


def _answer(listener: int, target: str, from_byte: int) -> bool:
    """Answer one question; whether the read fails."""
    import fcntl

    notice = bytearray(_NOTICE.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, notice)
    except OSError:  # who asked is gone
        return False
    number, pid, _, call, _, _, handle, _, count, place, _, _ = _NOTICE.unpack(bytes(notice))
    fails = _is_bad(pid, call, handle, count, place, target, from_byte)
    reply = struct.pack("=QqiI", number, 0, -errno.EIO if fails else 0, 0 if fails else _GO_ON)
    try:
        fcntl.ioctl(listener, _SEND, bytearray(reply))
    except OSError:
        return False
    return fails


def _is_bad(pid: int, call: int, handle: int, count: int, place: int, target: str, from_byte: int) -> bool:
    try:
        if os.readlink(f"/proc/{pid}/fd/{handle}") != target:
            return False
        calls = _CALLS[platform.machine()]
        if call not in (calls["pread64"], calls["preadv"]):
            place = int(Path(f"/proc/{pid}/fdinfo/{handle}").read_text().split()[1])
    except OSError:
        return False
    length = count if call in (calls["read"], calls["pread64"]) else 1
    return place + min(length, os.stat(target).st_size - place) > from_byte
