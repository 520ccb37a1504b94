"""Running something that may be hostile in a process of its own, with limits and where it can reach nothing.

Two rooms use it: `runs` for plugins, `intake` for reading what departments sent. Read in this order: `bubblewrap` (the
command and the limits), `seccomp` (the system calls that are left), `process` (starting, listening, ending), `readable`
(what of the machine a Python program must be able to read).
"""
