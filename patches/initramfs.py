# SPDX-License-Identifier: GPL-2.0
"""The initramfs of a boot: a cpio archive ("newc") with a console, some folders and some programs."""


def _entry(number, name, mode, data=b"", device=(0, 0)):
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0]
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    header += b"\0" * (-len(header) % 4)
    return header + data + b"\0" * (-len(data) % 4)


def write_initramfs(path, programs, folders=("proc", "sys")):
    """Writes it to `path`; `programs` are the paths of executables by the names they get."""
    entries = [("dev", 0o040755, b"", (0, 0)), ("dev/console", 0o020600, b"", (5, 1))]
    entries += [(name, 0o040755, b"", (0, 0)) for name in folders]
    entries += [(name, 0o100755, file.read_bytes(), (0, 0)) for name, file in programs.items()]
    entries += [("TRAILER!!!", 0, b"", (0, 0))]
    path.write_bytes(b"".join(_entry(number, *entry) for number, entry in enumerate(entries, 1)))
