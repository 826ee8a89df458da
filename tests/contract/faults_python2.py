"""The client of the fault test for CPython 2.7, which runs under 3 as well: a script.

Its arguments are the file of `sockio.py2`, the server's port, the time limit and a file with the requests, one in a
line: the method, its arguments and the right reply. It prints what came of them.
"""

from __future__ import print_function

import ast
import collections
import logging
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(sys.argv[1]))

import py2

logging.getLogger("sockio").addHandler(logging.NullHandler())


def main(port, timeout, path):
    with open(path) as file:
        requests = [ast.literal_eval(line) for line in file]
    requests.reverse()
    outcomes = []
    before = len(os.listdir("/proc/self/fd"))
    streams = [py2.TCP("127.0.0.1", port, timeout=timeout) for _ in range(4)]

    def work(stream):
        while True:
            try:
                method, args, reply = requests.pop()
            except IndexError:
                return
            try:
                got = getattr(stream, method)(*args)
            except (OSError, IOError, EOFError) as error:
                outcomes.append(type(error).__name__)
            else:
                outcomes.append("right" if got == reply else "wrong")

    threads = [threading.Thread(target=work, args=(stream,)) for stream in streams for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for stream in streams:
        assert stream.write_readline(b"echo still here\n", timeout=5) == b"still here\n"
        stream.close()
    assert len(os.listdir("/proc/self/fd")) == before, "descriptors left"
    print(dict(collections.Counter(outcomes)))


main(int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
