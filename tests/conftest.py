"""What every test is kept from: results that the user's own runs have left, and accelerators."""

from __future__ import annotations

import os
import signal
import tempfile

# Set before any test, or fixture of any scope, runs; `tests.commands` gives each command a folder
# of its own.
os.environ["GPTDOCTOR_CACHE_DIR"] = tempfile.mkdtemp(prefix="gptdoctor-tests-")
# torch starts threads for each device that it sees, and what runs in a worker without any is run
# in this process by many tests.  `tests.live.test_devices` shows them to its commands.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
# One thread, as a worker has: two processes run tests at once, and where time of the processor is
# limited, that of every thread counts.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
# A shell has what runs in its background ignore Ctrl-C, and all that is started there with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
