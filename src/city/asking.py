"""Asking a port whether somebody is there, without a client library: done often, and before anything else is loaded."""

import errno
import socket

ANSWER_WITHIN_SECONDS = 1.0
_STATUS_AT = slice(9, 12)  # "HTTP/1.1 200"


def reachable(host: str) -> str:
    """The address at which a server bound to `host` answers this machine."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)


def url_of(host: str, port: int) -> str:
    """The address in the form a browser takes."""
    name = reachable(host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def listens(host: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection((reachable(host), port), ANSWER_WITHIN_SECONDS).close()
    except OSError:
        return False
    return True


def answers_well(host: str, port: int, path: str) -> bool:
    """Whether `GET path` is answered with 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {reachable(host)}:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((reachable(host), port), ANSWER_WITHIN_SECONDS) as asked:
            asked.sendall(request.encode())
            return asked.recv(64)[_STATUS_AT] == b"200"
    except OSError:
        return False


def is_free(host: str, port: int) -> bool:
    """Whether a server can be bound there. Raises OSError for an address that is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                return False
            raise
    return True
