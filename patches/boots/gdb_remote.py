# SPDX-License-Identifier: GPL-2.0
"""The few requests of GDB's remote protocol that a boot under QEMU needs."""

import socket
import struct
import time


class GDBRemote:
    RAX, RBX, RCX, RDX, RSP, RIP = 0, 1, 2, 3, 7, 16

    def __init__(self, path, timeout):
        self.deadline = time.monotonic() + timeout
        self.buffer = b""
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                break
            except OSError:
                self.socket.close()
                if time.monotonic() > self.deadline:
                    raise TimeoutError("QEMU opens no GDB socket") from None
                time.sleep(0.05)
        self.ask("?")
        # QEMU refuses to write single registers before it was asked for this.
        self.ask("qXfer:features:read:target.xml:0,ffb")

    def ask(self, request):
        data = request.encode()
        self.socket.sendall(b"$%s#%02x" % (data, sum(data) & 255))
        while True:
            start = self.buffer.find(b"$")
            end = self.buffer.find(b"#", start)
            if start >= 0 and end >= 0 and len(self.buffer) >= end + 3:
                answer = self.buffer[start + 1 : end]
                self.buffer = self.buffer[end + 3 :]
                self.socket.sendall(b"+")
                return answer.decode("latin1")
            self.socket.settimeout(max(0.01, self.deadline - time.monotonic()))
            received = self.socket.recv(65536)
            if not received:
                raise EOFError("QEMU has ended")
            self.buffer += received

    def expect_ok(self, request):
        answer = self.ask(request)
        if answer != "OK":
            raise RuntimeError(f"QEMU answers {answer!r} to {request!r}")

    def registers(self):
        """rax rbx rcx rdx rsi rdi rbp rsp r8 … r15 rip."""
        return struct.unpack("<17Q", bytes.fromhex(self.ask("g")[: 17 * 16]))

    def set_register(self, number, value):
        self.expect_ok("P%x=%s" % (number, struct.pack("<Q", value).hex()))

    def memory(self, address, length):
        data = b""
        while len(data) < length:
            part = min(1024, length - len(data))
            answer = self.ask("m%x,%x" % (address + len(data), part))
            if answer.startswith("E"):
                raise RuntimeError(f"no memory at {address + len(data):#x}")
            data += bytes.fromhex(answer)
        return data

    def set_breakpoint(self, address):
        self.expect_ok("Z1,%x,1" % address)

    def clear_breakpoint(self, address):
        self.expect_ok("z1,%x,1" % address)

    def resume(self):
        return self.ask("c")

    def step(self):
        """Also over a breakpoint, at which QEMU would stop again instead of going on."""
        return self.ask("s")
