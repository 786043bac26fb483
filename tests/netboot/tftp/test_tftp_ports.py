"""Windows leave in one call where the kernel takes them so, one by one elsewhere; what cannot leave is lost."""

import errno
import os
import socket
import struct

import pytest

from appliance.netboot.tftp.ports import SharedPort, listening_socket, send_cut

ADDRESS = "127.0.0.1"


class Kernel:
    """A socket that notes what is sent; `error` is what it says to a window in one piece."""

    def __init__(self, error=None):
        self.error, self.whole, self.single = error, [], []

    def sendmsg(self, datagrams, cut, flags=0, to=None):
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        self.whole.append((list(datagrams), cut, to))

    def send(self, datagram):
        self.single.append(datagram)

    def sendto(self, datagram, to):
        self.single.append((datagram, to))


WINDOW = [b"a" * 100, b"b" * 100, b"c" * 7]


def test_a_window_is_one_call_with_the_size_of_its_datagrams():
    kernel = Kernel()
    assert send_cut(kernel, WINDOW)
    assert kernel.whole == [(WINDOW, [(socket.SOL_UDP, 103, struct.pack("=H", 100))], None)]


@pytest.mark.parametrize("error", [errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP])
def test_where_the_kernel_cannot_cut_they_go_one_by_one_from_then_on(error):
    kernel = Kernel(error)
    assert send_cut(kernel, WINDOW) is False
    assert kernel.single == WINDOW
    kernel = Kernel(error)
    port = SharedPort(kernel, (ADDRESS, 9))
    port.send(WINDOW)
    kernel.error = None
    port.send(WINDOW)
    assert kernel.single == [(each, (ADDRESS, 9)) for each in WINDOW * 2]


@pytest.mark.parametrize("odd", [[b"a", b"bb"], [b"aa", b"b", b"cc"], [b"a"] * 65])
def test_what_would_be_cut_wrongly_goes_one_by_one(odd):
    kernel = Kernel()
    assert send_cut(kernel, odd)
    assert (kernel.whole, kernel.single) == ([], odd)


@pytest.mark.parametrize("error", [errno.EAGAIN, errno.ECONNREFUSED])
def test_a_full_queue_and_a_closed_port_lose_the_window_and_nothing_else(error):
    kernel = Kernel(error)
    with pytest.raises(OSError, match=os.strerror(error)):
        send_cut(kernel, WINDOW)
    port = SharedPort(kernel, (ADDRESS, 9))
    port.send(WINDOW)
    kernel.error = None
    port.send(WINDOW)
    assert (len(kernel.whole), kernel.single) == (1, [])


def test_the_kernel_really_cuts():
    with listening_socket(ADDRESS, 0) as here, listening_socket(ADDRESS, 0) as there:
        assert send_cut(here, WINDOW, there.getsockname())
        assert [there.recv(1000) for _ in WINDOW] == WINDOW
