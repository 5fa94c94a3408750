"""The door lets in who knows the secret, and lets nobody else keep it shut."""

import socket
import threading
import time

import pytest

from skmmm._model import door as doors
from skmmm._model.door import Door, enter, files_of
from skmmm._model.sums import PeerLostError

SOON = 3.0  # seconds, much less than strangers are waited for


@pytest.fixture
def door():
    door = Door("127.0.0.1")
    yield door
    door.close()


def stranger_at(door):
    return socket.create_connection(door.address, timeout=SOON)


def comes_in(door, rank):
    """Return both ends of the connection of a process."""
    own = enter(door.address, door.secret, rank)
    return own, door.visitor(rank, SOON)


def is_dropped(stranger, seconds=SOON):
    """Return whether the door ends a connection without having told it anything."""
    stranger.settimeout(seconds)
    try:
        return stranger.recv(1) == b""
    except ConnectionResetError:
        return True


def test_processes_come_in_beside_silent_strangers(door):
    silent = [stranger_at(door) for _ in range(20)]
    start = time.monotonic()
    for rank in (1, 300):
        own, visitor = comes_in(door, rank)
        with own, visitor:
            own.sendall(b"hello")
            assert visitor.recv(5) == b"hello"
            assert visitor.gettimeout() is own.gettimeout() is None
    assert time.monotonic() - start < SOON
    for stranger in silent:
        stranger.close()


def test_more_strangers_than_are_heard_at_once_pass(door, monkeypatch):
    monkeypatch.setattr(doors, "_DEADLINE", 0.2)
    silent = [stranger_at(door) for _ in range(2 * doors._AT_ONCE)]
    own, visitor = comes_in(door, 1)
    own.close()
    visitor.close()
    for stranger in silent:
        assert is_dropped(stranger)
        stranger.close()


def test_silent_strangers_hold_nobody_up(door):
    """Those that were heard for a while make room, before their time is up."""
    silent = [stranger_at(door) for _ in range(doors._AT_ONCE)]
    start = time.monotonic()
    for rank in (1, 2):
        for end in comes_in(door, rank):
            end.close()
    assert time.monotonic() - start < SOON
    assert is_dropped(silent[0])
    for stranger in silent:
        stranger.close()


def test_hundreds_of_silent_strangers_pass_by(door, monkeypatch):
    monkeypatch.setattr(doors, "_TURN", 0.05)
    silent = [stranger_at(door) for _ in range(6 * doors._AT_ONCE)]
    start = time.monotonic()
    for end in comes_in(door, 1):
        end.close()
    assert time.monotonic() - start < SOON
    assert len(door._unknown) <= doors._AT_ONCE
    for stranger in silent:
        stranger.close()


def test_everybody_has_a_turn(door, monkeypatch):
    """However many come meanwhile."""
    monkeypatch.setattr(doors, "_TURN", 2 * SOON)
    slow = stranger_at(door)
    silent = [stranger_at(door) for _ in range(2 * doors._AT_ONCE)]
    monkeypatch.setattr(doors.socket, "create_connection", lambda *_, **__: slow)
    for end in comes_in(door, 1):
        end.close()
    for stranger in silent:
        stranger.close()


def test_who_makes_a_greeter_fail_is_dropped(door, monkeypatch):
    monkeypatch.setattr(doors, "_recognised", lambda *_: 1 / 0)
    with stranger_at(door) as stranger:
        assert is_dropped(stranger)


def test_who_speaks_slowly_is_dropped(door, monkeypatch):
    monkeypatch.setattr(doors, "_DEADLINE", 0.3)
    with stranger_at(door) as stranger:
        assert any(_is_dropped_after_a_byte(stranger) for _ in range(60))


def _is_dropped_after_a_byte(stranger):
    try:
        stranger.sendall(b"x")
        return is_dropped(stranger, 0.05)
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\n\r\n" * 4, b"\0" * 68, b"x" * 9999],
    ids=["another language", "no proof", "too much"],
)
def test_who_says_something_else_is_told_nothing(door, said):
    with stranger_at(door) as stranger:
        stranger.sendall(said)
        assert is_dropped(stranger)


def test_who_knows_another_secret_is_not_let_in(door):
    with pytest.raises(PeerLostError):
        enter(door.address, b"guessed", 1)
    assert door.visitor(1, 0.1) is None


def test_who_repeats_what_another_said_is_not_let_in(door):
    """A process comes in through somebody who listens, and then says it again."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as between:

        def listen():
            process, _ = between.accept()
            with process, stranger_at(door) as onwards:
                for n_bytes in (68, 32):
                    heard.append(process.recv(n_bytes, socket.MSG_WAITALL))
                    onwards.sendall(heard[-1])
                    if n_bytes == 68:
                        process.sendall(onwards.recv(64, socket.MSG_WAITALL))

        listener = threading.Thread(target=listen)
        listener.start()
        own = enter(between.getsockname(), door.secret, 1)
        listener.join()
    own.close()
    door.visitor(1, SOON).close()
    with stranger_at(door) as stranger:
        stranger.sendall(heard[0])
        stranger.recv(64, socket.MSG_WAITALL)
        stranger.sendall(heard[1])
        assert is_dropped(stranger)
    assert door.visitor(1, 0.1) is None


def test_processes_listen_to_nobody_else():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            caller, _ = server.accept()
            with caller:
                caller.sendall(caller.recv(68, socket.MSG_WAITALL)[-64:])

        impostor = threading.Thread(target=answer)
        impostor.start()
        with pytest.raises(PeerLostError, match="nobody known"):
            enter(server.getsockname(), b"secret", 1)
        impostor.join()


def test_a_closed_door_lets_nobody_in():
    door = Door("127.0.0.1")
    with stranger_at(door) as stranger:
        start = time.monotonic()
        door.close()
        assert time.monotonic() - start < SOON
        assert is_dropped(stranger)
    with pytest.raises(PeerLostError, match="nobody is at"):
        enter(door.address, door.secret, 1)


def test_silent_machines_are_asked_whether_they_are_there(door):
    for own in comes_in(door, 1):
        files = files_of(own)
        assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        for opened in (*files, own):
            opened.close()
