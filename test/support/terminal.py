"""Runs a command with some of its standard descriptors on a terminal of a given size.

terminal.py COLUMNSxROWS DESCRIPTORS COMMAND...   (DESCRIPTORS like "2" or "012")

The others stay what they are. What the command writes to the terminal goes to descriptor 3, unchanged
(no "\\n" becomes "\\r\\n"). Ends with the command's status, or 128 + signal.
"""
import fcntl, os, pty, signal, struct, sys, termios

columns, rows = map(int, sys.argv[1].split("x"))
descriptors = [int(digit) for digit in sys.argv[2]]
command = sys.argv[3:]

master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
attributes = termios.tcgetattr(slave)
attributes[1] &= ~termios.OPOST
termios.tcsetattr(slave, termios.TCSANOW, attributes)

child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in descriptors:
        os.dup2(slave, descriptor)
    os.closerange(3, 64)
    os.execvp(command[0], command)

os.close(slave)
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
signal.signal(signal.SIGINT, lambda *_: os.write(master, b"\x03"))
while True:
    try:
        chunk = os.read(master, 65536)
    except OSError:
        break
    if not chunk:
        break
    os.write(3, chunk)
_, status = os.waitpid(child, 0)
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
