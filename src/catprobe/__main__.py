"""The command catprobe, which is a C program inside the extension: here it gets its arguments."""

import _signal as signal  # signal itself makes enums, which takes milliseconds of each start
import os
import sys

import _catprobe

# Until a trace has its own, Ctrl-C ends the command without a word, not by a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main():
    """Run the command with the arguments in sys.argv and exit with its status."""
    folder = os.path.dirname(os.path.abspath(__file__))
    name = os.path.basename(sys.argv[0])
    arguments = ["catprobe" if name == "__main__.py" else name] + sys.argv[1:]
    sys.exit(_catprobe.main(arguments, sys.executable, folder))


if __name__ == "__main__":
    main()
