"""The system call filter of the sandbox, as a BPF program made here in plain Python.

It says no to what a plugin never needs and what widens the kernel's surface: other processes, mounts,
namespaces, keyrings, tracing, io_uring, module loading, clocks, and sockets of every family but AF_UNIX. New
processes are refused too (threads are not), so that the limits of the one process are the limits of the run,
and so is memory that no limit of a process counts (shared anonymous mappings, memory files, System V shared
memory). What it refuses fails with EPERM, or with ENOSYS where a library has another way to turn to.

Numbers are from the kernel's tables (arch/x86/entry/syscalls/syscall_64.tbl,
include/uapi/asm-generic/unistd.h); the program's form is that of seccomp(2).
"""

from __future__ import annotations

import errno
import os
import struct

__all__ = ["MACHINES", "filter_program"]

# struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; both machines are
# little-endian.
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16

# Opcodes of classic BPF (linux/bpf_common.h): load a word, jumps with a constant, and-with-constant, return.
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

_AF_UNIX = 1
_CLONE_THREAD = 0x00010000
_SHARED_AND_ANONYMOUS = 0x01 | 0x20
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
# x86-64's second numbering of the same calls; nothing uses it.
_X32 = 0x40000000

# name -> (number on x86-64, number on aarch64); None where the machine has no such call.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    # other processes, and more of them
    "fork": (57, None), "vfork": (58, None), "ptrace": (101, 117), "kcmp": (312, 272),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "personality": (135, 92),
    # mounts, namespaces, files by handle
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "open_tree_attr": (467, 467), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    # the kernel itself
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "syslog": (103, 116),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "lookup_dcookie": (212, 18),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142), "vhangup": (153, 58),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "iopl": (172, None),
    "ioperm": (173, None), "modify_ldt": (154, None), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # the clock and the name of the machine
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162),
    # memory and queues that no limit of the process counts
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196),
    "shmctl": (31, 195), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
}  # fmt: skip

# os.uname().machine -> (AUDIT_ARCH_ constant of linux/audit.h, column of the table above)
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# Calls that depend on an argument: number on each machine.
_CLONE, _CLONE3, _SOCKET, _SOCKETPAIR, _MMAP, _IOCTL = (
    (56, 220), (435, 435), (41, 198), (53, 199), (9, 222), (16, 29),
)  # fmt: skip


def filter_program(machine: str | None = None) -> bytes | None:
    """The filter for a machine (default: this one) as bubblewrap reads it; None for unknown machines."""
    machine = machine or os.uname().machine
    if machine not in MACHINES:
        return None
    arch, column = MACHINES[machine]
    program = [
        *_load(_ARCH),
        *_unless(_JUMP_EQUAL, arch, _KILL),
        *_load(_NUMBER),
        _instruction(_JUMP_AT_LEAST, _X32, 0, 1),
        _instruction(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    for numbers in _DENIED.values():
        number = numbers[column]
        if number is not None:
            program += _when(number, [_instruction(_RETURN, _ERRNO | errno.EPERM)])
    # The flags of clone3 are in memory, where a filter cannot look; C libraries fall back on clone.
    program += _when(_CLONE3[column], [_instruction(_RETURN, _ERRNO | errno.ENOSYS)])
    program += _when(
        _CLONE[column], [*_argument(0), *_unless(_JUMP_ANY_BIT, _CLONE_THREAD, _ERRNO | errno.EPERM)]
    )
    for call in (_SOCKET, _SOCKETPAIR):
        refuse = _unless(_JUMP_EQUAL, _AF_UNIX, _ERRNO | errno.EAFNOSUPPORT)
        program += _when(call[column], [*_argument(0), *refuse])
    shared = [
        _instruction(_AND, _SHARED_AND_ANONYMOUS),
        _instruction(_JUMP_EQUAL, _SHARED_AND_ANONYMOUS, 0, 1),
    ]
    program += _when(_MMAP[column], [*_argument(3), *shared, _instruction(_RETURN, _ERRNO | errno.EPERM)])
    typing = [_instruction(_JUMP_EQUAL, _TIOCSTI, 1, 0), _instruction(_JUMP_EQUAL, _TIOCLINUX, 0, 1)]
    program += _when(_IOCTL[column], [*_argument(1), *typing, _instruction(_RETURN, _ERRNO | errno.EPERM)])
    program.append(_instruction(_RETURN, _ALLOW))
    return b"".join(program)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """A `struct sock_filter`; the jumps count instructions to skip."""
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _load(offset: int) -> list[bytes]:
    return [_instruction(_LOAD, offset)]


def _argument(index: int) -> list[bytes]:
    """Load the lower half of an argument; every flag looked at here lies in it."""
    return _load(_ARGUMENTS + 8 * index)


def _unless(jump: int, value: int, result: int) -> list[bytes]:
    """Return `result` unless the comparison holds."""
    return [_instruction(jump, value, 1, 0), _instruction(_RETURN, result)]


def _when(number: int, then: list[bytes]) -> list[bytes]:
    """For one system call run `then` and end: what it does not refuse is allowed.

    `then` may load arguments; every way out of it is a return, so the number is never needed again.
    """
    then = [*then, _instruction(_RETURN, _ALLOW)]
    return [_instruction(_JUMP_EQUAL, number, 0, len(then)), *then]
