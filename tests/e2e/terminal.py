"""terminal.py SHELL-COMMANDS-OF-A-TEST: plays a user at a terminal, in a pseudo-terminal with an interactive shell.

Reads steps from stdin, one a line:
    type TEXT          types TEXT and Enter
    key C-c            presses a key with Control
    expect TEXT        waits until TEXT (a regular expression) appears in what came since the last expect
    quiet TEXT         nothing that matches has come since the last expect
    check COMMAND      waits until the shell command succeeds (run outside of the terminal)
    hangup             closes the terminal
All that waits gives up after 20 seconds. Exit status 0 when every step went well.
"""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

LIMIT = 20


class Terminal:
    def __init__(self, argv):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and that is inherited
            os.execvp(argv[0], argv)

    def pump(self, seconds):
        if self.fd < 0 or not select.select([self.fd], [], [], seconds)[0]:
            if self.fd < 0:
                time.sleep(seconds)
            return
        try:
            data = os.read(self.fd, 65536).decode(errors="replace")
        except OSError:
            data = ""
        if not data:
            self.close()
        self.text += data
        sys.stdout.write(data)
        sys.stdout.flush()

    def write(self, text):
        os.write(self.fd, text.encode())

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def wait(self, done):
        end = time.monotonic() + LIMIT
        while not done():
            if time.monotonic() > end:
                return False
            self.pump(0.02)
        return True

    def take(self, pattern):
        found = re.search(pattern, self.text)
        if found:
            self.text = self.text[found.end():]
        return bool(found)

    def step(self, word, rest):
        if word == "type":
            self.write(rest + "\n")
            return True
        if word == "key":
            self.write(chr(ord(rest.upper()[-1]) - 64))
            return True
        if word == "expect":
            return self.wait(lambda: self.take(rest))
        if word == "quiet":
            self.pump(0)
            return not re.search(rest, self.text)
        if word == "check":
            return self.wait(lambda: subprocess.call(["bash", "-c", rest], stdin=subprocess.DEVNULL) == 0)
        if word == "hangup":
            self.close()
            return True
        raise SystemExit("terminal.py: unknown step " + word)


def main():
    # No prompt of its own, no history, no start-up files; job control as for any user.
    terminal = Terminal(["bash", "--norc", "--noprofile", "--noediting", "-i"])
    terminal.write("PS1='$ '; stty -echo; unset HISTFILE; echo be''gin\n")
    if not terminal.wait(lambda: terminal.take("begin\r?\n")):
        raise SystemExit("terminal.py: no shell")
    ok = True
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if not word or word.startswith("#"):
            continue
        if not terminal.step(word, rest):
            print("\nterminal.py: in vain: " + line.strip())
            ok = False
            break
    terminal.close()
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if os.waitpid(terminal.pid, os.WNOHANG)[0]:
            raise SystemExit(0 if ok else 1)
        time.sleep(0.02)
    os.kill(terminal.pid, 9)
    raise SystemExit("terminal.py: the shell does not end")


main()
