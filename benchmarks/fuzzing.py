"""Hours of made-up tables and changed files, in search of a case that neither holds nor says why not.

    OMP_NUM_THREADS=1 python benchmarks/fuzzing.py [--minutes 60] [--part 0.5] [--atheris PYTHON] [--out FILE]

Round by round the slow tests of tests/fuzz draw other cases, each round in a process of its own, and other seeds
change files of every kind. Files of the formats before there was a digest go to ONNX Runtime as they are: what comes
of them is counted apart. PYTHON is the interpreter of an environment with atheris, which for a tenth of the time
changes graphs and their metadata, led by the lines of sklkd that are reached.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT)  # the files beside this one have names of libraries
TABLES = ("fit", "predict", "report")
PER_ROUND = {"onnx": 4_000, "c": 2_000, "skops": 200, "checkpoint": 2_000, "onnx without digest": 2_000}


def round_of_tables(seed, name, folder, part):
    """Cases by kind, and failures, of the slow tests of one file."""
    counted, report = folder / "cases", folder / "report.xml"
    counted.write_text("")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slow", f"tests/fuzz/test_{name}.py", f"--junitxml={report}"]
    command += [f"--hypothesis-seed={seed}", "--hypothesis-profile=explore", "-p", "no:cacheprovider", "--tb=short"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"SKLKD_FUZZ_COUNT": str(counted), "SKLKD_FUZZ_CASES": str(part)},
        capture_output=True,
        text=True,
        check=False,
    )
    cases = collections.Counter(counted.read_text().splitlines())
    if done.returncode not in (0, 1):
        return cases, [{"test": name, "seed": seed, "said": done.stdout[-2000:] + done.stderr[-2000:]}]
    failed = [(one, one.find("failure")) for one in ElementTree.parse(report).iter("testcase")]
    return cases, [
        {"test": one.get("name"), "seed": seed, "said": why.text[-4000:]} for one, why in failed if why is not None
    ]


def round_of_files(seed, folder, part):
    """What came of changed files by kind, and faults among them."""
    from tests.fuzz.test_bytes import came, faults, write_valid_files

    write_valid_files(folder)
    outcomes, found = {}, []
    for kind, n in PER_ROUND.items():
        told = came(folder, kind, 10**6 * (seed + 1), max(1, int(part * n)))
        outcomes[kind] = collections.Counter(one if isinstance(one, str) else one["error"] for _, one, _ in told)
        found += [{"test": kind, "seed": case, "said": str(said)} for case, said, _ in faults(kind, told)]
    return outcomes, found


def search_by_atheris(python, seconds):
    """Runs of atheris, and what it has found."""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, __file__, "--harness", "--", f"-max_total_time={seconds}", "-timeout=60", "-max_len=4096"]
        command += [f"-artifact_prefix={folder}/"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        runs = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("Done ")]
        found = [] if done.returncode == 0 else [{"test": "atheris", "seed": None, "said": done.stderr[-4000:]}]
        return {"runs": int(runs[0]) if runs else None, "seconds": seconds}, found


def harness(arguments):
    """A target of atheris: a graph as it comes, or a valid one with other metadata and their right digest."""
    import atheris
    import onnx

    with atheris.instrument_imports(include=["sklkd.export", "sklkd._columns"]):  # before others import them
        from sklkd import OnnxPredictor
        from sklkd.export._file import SEAL, UNSEALED, sealed
    from tests.fuzz.test_bytes import write_valid_files

    with tempfile.TemporaryDirectory() as folder:
        write_valid_files(Path(folder))
        model = onnx.load(Path(folder) / "onnx")
    valid = json.loads(model.metadata_props[0].value)

    def one(data):
        provider = atheris.FuzzedDataProvider(data)
        if provider.ConsumeIntInRange(0, 9) == 0:
            content = provider.ConsumeBytes(4096)
        else:
            name = provider.PickValueInList([*valid, "times", "threshold", "multilabel"])
            try:
                value = json.loads(provider.ConsumeUnicodeNoSurrogates(200))
            except ValueError:
                value = provider.PickValueInList([None, True, -1, 10**30, 0.5, "x", "<U3", [], [1], {}, {"0": ["a"]}])
            model.metadata_props[0].value = json.dumps(valid | {name: value} | {SEAL: UNSEALED}, separators=(",", ":"))
            content = sealed(model.SerializeToString())
        try:
            OnnxPredictor(content)
        except ValueError:
            pass

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def main(minutes, python, out, first, part):
    start = time.monotonic()
    tables, files, findings, rounds = collections.Counter(), {}, [], 0
    while time.monotonic() - start < 60 * minutes:
        seed = first + rounds
        for name in TABLES:
            with tempfile.TemporaryDirectory() as folder:
                cases, found = round_of_tables(seed, name, Path(folder), part)
            tables += cases
            findings += found
        with tempfile.TemporaryDirectory() as folder:
            outcomes, found = round_of_files(seed, Path(folder), part)
        for kind, counted in outcomes.items():
            files[kind] = collections.Counter(files.get(kind, {})) + counted
        findings += found
        guided = None
        if python is not None:
            guided, found = search_by_atheris(python, max(5, int(0.1 * (time.monotonic() - start) / (rounds + 1))))
            findings += found
        rounds += 1
        result = {
            "command": " ".join(["python benchmarks/fuzzing.py", *sys.argv[1:]]),
            "seconds": round(time.monotonic() - start),
            "rounds": rounds,
            "tables": dict(sorted(tables.items())),
            "files": {kind: dict(counted.most_common()) for kind, counted in files.items()},
            "atheris in the last round": guided,
            "findings": findings,
        }
        out.write_text(json.dumps(result, indent=1) + "\n")
        print(f"{rounds} rounds, {sum(tables.values()):,} tables, {len(findings)} findings", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--atheris")
    parser.add_argument("--first", type=int, default=0, help="seed of the first round")
    parser.add_argument("--part", type=float, default=0.5, help="of the slow tests' cases, in a round")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "fuzzing.json")
    parser.add_argument("--harness", action="store_true")
    given, rest = parser.parse_known_args()
    if given.harness:
        harness([one for one in rest if one != "--"])
    else:
        main(given.minutes, given.atheris, given.out, given.first, given.part)
