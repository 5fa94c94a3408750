"""Where processes of other machines come in that know a secret.

They speak first, and both sides prove that they know the secret without telling it::

    process    rank, number of its own, proof of both
    caller     number of its own, proof of all three
    process    proof of all three

A proof is a keyed hash in the name of who gives it. Who says anything else is told
nothing. Who says nothing is waited for beside others, and not for long: where more come
than are heard at once, the one that came first is dropped.
"""

import hmac
import secrets
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from skmmm._model.sums import PeerLostError

# Seconds that one has for all it says, and how many are listened to at once.
_DEADLINE, _AT_ONCE = 10.0, 64
_TURN = 1.0  # seconds that each of them has at least, however many more come
_QUEUE = 60.0  # seconds in which one that is let in hears something
_LOOK = 0.2  # seconds from one look at whether the door is open to the next
_RANK, _NUMBER, _PROOF = 4, 32, 32  # bytes
# Seconds and numbers of questions after which a machine that falls silent counts as
# gone, where the system lets them be set: ten minutes, as for sums.
_ALIVE = {"TCP_KEEPIDLE": 300, "TCP_KEEPINTVL": 60, "TCP_KEEPCNT": 5}


class _StrangerError(Exception):
    """The other side does not know the secret."""


class Door:
    """Where processes come in that know the secret.

    Parameters
    ----------
    host : str
        Where they reach this process.

    Attributes
    ----------
    address : tuple of (str, int)
    secret : bytes
    """

    def __init__(self, host):
        self.secret = secrets.token_bytes(32)
        self._server = socket.create_server((host, 0), backlog=128)
        self._server.settimeout(_LOOK)
        self.address = self._server.getsockname()[:2]
        self._visitors = {}  # by rank
        self._unknown = {}  # when they came who have not said all, the first first
        self._came = threading.Condition()
        self._open = True
        self._greeters = ThreadPoolExecutor(_AT_ONCE)
        self._keeper = threading.Thread(target=self._let_in, daemon=True)
        self._keeper.start()

    def _let_in(self):
        while self._open:
            try:
                visitor, _ = self._server.accept()
            except TimeoutError:
                continue
            except OSError:  # as too many files are open
                time.sleep(_LOOK)
                continue
            self._make_room()
            with self._came:
                self._unknown[visitor] = time.monotonic()
            self._greeters.submit(self._greet, visitor)

    def _make_room(self):
        """Wait for a greeter, or take one from the first who had his turn."""
        with self._came:
            while self._open and len(self._unknown) >= _AT_ONCE:
                first, came = next(iter(self._unknown.items()))
                left = came + _TURN - time.monotonic()
                if left > 0:
                    self._came.wait(min(left, _LOOK))
                    continue
                del self._unknown[first]
                _shut(first)

    def _greet(self, visitor):
        """Keep a visitor that knows the secret."""
        try:
            rank = _recognised(visitor, self.secret)
        except Exception:  # whatever it is, who caused it is a stranger
            rank = None
        with self._came:
            was_waited_for = self._unknown.pop(visitor, None) is not None
            if rank is None or not was_waited_for:
                visitor.close()
            else:
                before = self._visitors.pop(rank, None)
                if before is not None:
                    before.close()
                self._visitors[rank] = visitor
            self._came.notify_all()

    def visitor(self, rank, seconds):
        """Return the socket of a process, None if it does not come so soon."""
        with self._came:
            self._came.wait_for(lambda: rank in self._visitors, seconds)
            return self._visitors.pop(rank, None)

    def close(self):
        """Let nobody in any more."""
        self._open = False
        self._keeper.join()
        self._server.close()
        with self._came:
            for visitor in self._unknown:
                _shut(visitor)
        self._greeters.shutdown()
        for visitor in self._visitors.values():
            visitor.close()


def enter(address, secret, rank):
    """Return the socket of this process at the door of the calling one.

    Parameters
    ----------
    address : tuple of (str, int)
    secret : bytes
    rank : int
        Of this process.
    """
    try:
        own = socket.create_connection(address, timeout=_QUEUE)
    except OSError as error:
        raise PeerLostError(f"nobody is at {address}: {error}") from error
    try:
        hear = _hearing(own, _QUEUE)
        name = rank.to_bytes(_RANK, "big") + secrets.token_bytes(_NUMBER)
        own.sendall(name + _proof(secret, b"process", name))
        both = name + hear(_NUMBER)
        _check(hear(_PROOF), _proof(secret, b"caller", both))
        own.sendall(_proof(secret, b"process again", both))
        own.settimeout(None)
    except (_StrangerError, OSError) as error:
        own.close()
        raise PeerLostError(f"nobody known is at {address}") from error
    return own


def _shut(visitor):
    """End a connection, so that who reads it stops."""
    with suppress(OSError):  # it may have gone already
        visitor.shutdown(socket.SHUT_RDWR)


def _recognised(visitor, secret):
    """Return the rank of a process that knows the secret, or raise."""
    hear = _hearing(visitor, _DEADLINE)
    name = hear(_RANK + _NUMBER)
    _check(hear(_PROOF), _proof(secret, b"process", name))
    number = secrets.token_bytes(_NUMBER)
    both = name + number
    visitor.sendall(number + _proof(secret, b"caller", both))
    _check(hear(_PROOF), _proof(secret, b"process again", both))
    visitor.settimeout(None)
    return int.from_bytes(name[:_RANK], "big")


def _proof(secret, who, said):
    """Return what only those can say who know the secret."""
    return hmac.digest(secret, who + b": " + said, "sha256")


def _check(proof, expected):
    if not hmac.compare_digest(proof, expected):
        raise _StrangerError


def _hearing(own, seconds):
    """Return a function that reads so many bytes, all in so many seconds."""
    end = time.monotonic() + seconds

    def hear(n_bytes):
        heard = b""
        while len(heard) < n_bytes:
            left = end - time.monotonic()
            if left <= 0:
                raise _StrangerError
            own.settimeout(left)
            more = own.recv(n_bytes - len(heard))
            if not more:
                raise _StrangerError
            heard += more
        return heard

    return hear


def files_of(own):
    """Return files that read and write a socket, which from now on stays alive."""
    own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _ALIVE.items():
        if hasattr(socket, name):
            own.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return own.makefile("rb"), own.makefile("wb")
