"""`python -m lsim.trace.zoo FOLDER` writes the trace files of all models into a folder."""

import sys
from pathlib import Path

from lsim.trace.zoo import write_all

if __name__ == "__main__":
    for path in write_all(Path(sys.argv[1])):
        print(path)
