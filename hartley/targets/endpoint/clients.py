"""The clients of a server: how many at once, how long they may take and how much they may send."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from typing import Any

SECONDS_TO_LEAVE = 1.0


class Clients:
    """The open connections, at most `most`, and what bodies they have sent, at most `most_bytes` together.

    Where all places are taken, whoever has kept us waiting for longest makes room: however many drip, the next one is served.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._places = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._owing: dict[socket.socket, float] = {}
        self._most_bytes, self._held = most_bytes, 0

    def enter(self, connection: socket.socket) -> bool:
        """Whether there is a place for it. `leave` gives that back."""
        if not self._places.acquire(blocking=False):
            self._drop_slowest()
            if not self._places.acquire(timeout=SECONDS_TO_LEAVE):
                return False
        self.owes(connection)
        return True

    def leave(self, connection: socket.socket) -> None:
        """Its place is free."""
        self.owed(connection)
        self._places.release()

    def owes(self, connection: socket.socket) -> None:
        """From now on the client has to send or to take something."""
        with self._lock:
            self._owing[connection] = time.monotonic()

    def owed(self, connection: socket.socket) -> None:
        """The client has sent all, and waits for us."""
        with self._lock:
            self._owing.pop(connection, None)

    def hold(self, count: int) -> bool:
        """Whether so many bytes more may be held; below 0: they are let go."""
        with self._lock:
            fits = self._held + count <= self._most_bytes
            self._held += count if fits else 0
        return fits

    def _drop_slowest(self) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            slowest = min(self._owing, key=lambda connection: self._owing[connection])
            del self._owing[slowest]
            slowest.shutdown(socket.SHUT_RDWR)  # the thread that waits for it goes on, and closes it


class Reading(io.RawIOBase):
    """What comes over a connection until `ends`, whatever the pauses between two bytes, and about `left` bytes at most.

    Raises TimeoutError at either.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.ends = 0.0
        self.left = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        seconds = self.ends - time.monotonic()
        if seconds <= 0 or self.left <= 0:
            raise TimeoutError
        self._connection.settimeout(seconds)
        count = self._connection.recv_into(buffer)
        self.left -= count
        return count
