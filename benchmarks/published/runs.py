"""What the scripts of published tables share: where data and results are, and a file of runs, written as they come."""

import json
import os
from pathlib import Path

DATA = Path(os.environ.get("SKLKD_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
RESULTS = Path(__file__).resolve().parents[1] / "results"


class Runs:
    """Runs in a file, each a dict; one that is there already is not made again. Without a file they are printed."""

    def __init__(self, file=None):
        self.file = Path(file) if file else None
        self.all = self._written()

    def _written(self):
        return json.loads(self.file.read_text()) if self.file and self.file.exists() else []

    def has(self, **names):
        return any(names.items() <= run.items() for run in self.all)

    def add(self, **run):
        print(run, flush=True)
        if self.file:
            # others may have written meanwhile
            self.all = [*self._written(), run]
            self.file.write_text(json.dumps(self.all, indent=1) + "\n")
