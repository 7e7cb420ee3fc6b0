"""Where the server listens, and under which address a browser finds it."""

import errno
import ipaddress
import os
import socket
from urllib.parse import quote

from flux_engine.errors import FluxError


class ListenError(FluxError):
    """The server cannot listen where it should."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 takes any that is free.

    Raises ``ListenError`` saying what is in the way.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family)
    except socket.gaierror as error:
        raise ListenError(f"--host: {host!r} is not known here: {error.strerror}") from None
    except OSError as error:
        raise ListenError(_problem(error, host, port)) from None


def address(listening: socket.socket, host: str, token: str | None) -> str:
    """Return the address to open in a browser, with the token if there is one."""
    port = listening.getsockname()[1]
    name = socket.gethostname() if is_every_interface(host) else host.strip("[]")
    shown = f"[{name}]" if ":" in name else name
    query = f"?token={quote(token, safe='')}" if token else ""
    return f"http://{shown}:{port}/{query}"


def is_every_interface(host: str) -> bool:
    """Tell whether ``host`` stands for all addresses of the machine: ``0.0.0.0``, ``::``, or nothing."""
    try:
        return not host or ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def _problem(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use. Choose another with --port; --port 0 takes any that is free"
    if error.errno == errno.EACCES:
        return f"port {port} is not for ordinary users. Choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host: {host} is not an address of this machine"
    return f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
