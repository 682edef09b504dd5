"""How long an import takes in a fresh interpreter: of a module, or of several separated by commas."""

from __future__ import annotations

import importlib
import json
import sys
import time

if __name__ == "__main__":
    # Nothing of ours is imported for this: it would be loaded already.
    began = time.perf_counter()
    for name in sys.argv[1].split(","):
        importlib.import_module(name)
    print(json.dumps({"seconds": time.perf_counter() - began}))
