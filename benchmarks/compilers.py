"""Compilers of trees beside students: one row and a batch, size, and what compiling takes, over trees and depth.

    python benchmarks/compilers.py [--models xgboost] [--depths 4 8] [--trees 10 50] [--out compilers.json]

It runs in an environment of its own, since lleaves 1.3 needs llvmlite < 0.44: ``pip install tl2cgen treelite lleaves
"llvmlite<0.44" timber-compiler xgboost lightgbm skl2onnx onnxmltools onnxruntime`` and sklkd.

10,000 made-up rows of 30 columns and 5 classes; a tree of a booster belongs to one class, so that 50 trees are 10
rounds. Each case, a model by a tool, is compiled in a process of its own with a limit of time and memory, and timed in
another. One row is timed in a loop in C over 1,000 rows in turn, where the library has a C function, so that branches
are guessed as in use, and in Python by the tool's own predictor. Cases that the result file has are not run again; with
more trees than those at which a tool failed it is not tried.
"""

import argparse
import ctypes
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np

TREES, DEPTHS, CLASSES, COLUMNS = (10, 50, 100, 500, 1000), (4, 8, 16), 5, 30
TOOLS = {
    "xgboost": ("timber", "timber, optimised", "tl2cgen", "onnx"),
    "lightgbm": ("timber", "timber, optimised", "tl2cgen", "lleaves", "onnx"),
    "forest": ("timber", "tl2cgen", "onnx"),
    "student": ("c", "onnx"),
}
SECONDS, BYTES = 60, 6 * 2**30
"""Of the processor and of addresses, for every process that compiles."""

LOOPS = r"""
#define _POSIX_C_SOURCE 200112L
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1e6 + time.tv_nsec * 1e-3;
}

/* microseconds of a call, in the fastest of some rounds over all rows; row: bytes of one */
#define LOOP(name, type, call) \
    double name(type f, const char *rows, int n, int row, int rounds) \
    { \
        static union { char bytes[1024]; double aligned; } out; \
        double best = 1e18, start; \
        int i, k; \
        for (i = 0; i < rounds; i++) { \
            start = now(); \
            for (k = 0; k < n; k++) { \
                const void *x = rows + (size_t)k * row; \
                call; \
            } \
            start = (now() - start) / n; \
            best = start < best ? start : best; \
        } \
        return best; \
    }

typedef void (*student_function)(const void *, void *);
typedef void (*tl2cgen_function)(const void *, int, void *);
typedef void (*lleaves_function)(const void *, void *, int, int);
typedef int (*timber_function)(const void *, void *, const void *);

LOOP(c, student_function, f(x, &out))
LOOP(tl2cgen, tl2cgen_function, memset(&out, 0, 64); f(x, 0, &out))
LOOP(lleaves, lleaves_function, f(x, &out, 0, 1))
LOOP(timber, timber_function, f(x, &out, 0))
"""


def data():
    """Rows to fit on, their labels, and 1,000 rows that no model has seen."""
    from sklearn.datasets import make_classification

    X, y = make_classification(11_000, COLUMNS, n_informative=15, n_classes=CLASSES, random_state=0)
    X = X.astype(np.float32)
    return X[:10_000], y[:10_000], X[10_000:]


def fit(case, folder):
    """Write the model of all trees, or the student, to the folder."""
    X, y, _ = data()
    kind, depth, most = case["model"], case["depth"], case["most"]
    if kind == "xgboost":
        import xgboost

        model = xgboost.XGBClassifier(n_estimators=most // CLASSES, max_depth=depth, n_jobs=1).fit(X, y)
        model.save_model(folder / "all.json")
    elif kind == "lightgbm":
        import lightgbm

        leaves = {"max_depth": depth, "num_leaves": min(2**depth, 1000)}
        model = lightgbm.LGBMClassifier(n_estimators=most // CLASSES, **leaves, n_jobs=1, verbose=-1).fit(X, y)
        model.booster_.save_model(folder / "all.txt")
    elif kind == "forest":
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(most, max_depth=depth, n_jobs=1, random_state=0).fit(X, y)
        (folder / "all.pkl").write_bytes(pickle.dumps(model))
    else:
        from sklearn.ensemble import RandomForestClassifier

        from sklkd import DistilledClassifier, to_c, to_onnx
        from sklkd.students import TabularStudent

        # how well it has learnt plays no part in how long it takes
        net = TabularStudent(depth, max_epochs=2)
        options = {"hard_weight": 0.1, "blend": 0, "cv": None, "augment": None, "random_state": 0}
        forest = RandomForestClassifier(50, n_jobs=1, random_state=0).fit(X[:4000], y[:4000])
        est = DistilledClassifier(forest, net, **options).fit(X[:4000], y[:4000])
        to_c(est, folder / "student.c")
        to_onnx(est, folder / "student.onnx")
        np.save(folder / "expected.npy", est.predict_proba(data()[2]))


def sliced(case, folder):
    """The model of the first trees as a file and in memory, and its probabilities of the new rows."""
    kind, n, rows = case["model"], case["trees"], data()[2]
    if kind == "xgboost":
        import xgboost

        whole, path = xgboost.Booster(model_file=folder / "all.json"), folder / "model.json"
        whole[: n // CLASSES].save_model(path)
        model = xgboost.XGBClassifier()
        model.load_model(path)
        leaves = (model.get_booster().trees_to_dataframe().Feature == "Leaf").sum()
        return path, model, model.predict_proba(rows), leaves
    if kind == "lightgbm":
        import lightgbm

        path = folder / "model.txt"
        lightgbm.Booster(model_file=folder / "all.txt").save_model(path, num_iteration=n // CLASSES)
        model = lightgbm.Booster(model_file=path)
        leaves = sum(tree["num_leaves"] for tree in model.dump_model()["tree_info"])
        return path, model, model.predict(rows.astype(np.float64)), leaves
    path, model = folder / "model.pkl", pickle.loads((folder / "all.pkl").read_bytes())
    model.estimators_ = model.estimators_[:n]
    model.n_estimators = n
    path.write_bytes(pickle.dumps(model))
    return path, model, model.predict_proba(rows), sum(tree.get_n_leaves() for tree in model.estimators_)


def compile_case(case, folder):
    """Write what the tool makes of a model to the folder; figures of what that takes."""
    tool = case["tool"]
    about = {}
    if case["model"] != "student":
        path, model, expected, leaves = sliced(case, folder)
        np.save(folder / "expected.npy", expected)
        about["leaves"] = int(leaves)
    import_tool(case)
    start = seconds()
    if tool.startswith("timber"):
        made = folder / "timber"
        # what it optimises by default changes the predictions
        options = ["--no-optimize"] if tool == "timber" else []
        called([sys.executable, "-m", "timber.cli", "compile", "--model", path, "--out", made, *options])
        called(["make", "-s", "-C", made, "libtimber_model.so"])
    elif tool == "tl2cgen":
        import tl2cgen
        import treelite

        read = {
            "xgboost": lambda: treelite.frontend.from_xgboost(model.get_booster()),
            "lightgbm": lambda: treelite.frontend.from_lightgbm(model),
            "forest": lambda: treelite.sklearn.import_model(model),
        }
        # its documentation advises to split large models
        params = {"parallel_comp": max(case["trees"] // 10, 1)}
        library = folder / "model.so"
        tl2cgen.export_lib(read[case["model"]](), toolchain="gcc", libpath=library, params=params, nthread=1)
    elif tool == "lleaves":
        import lleaves

        lleaves.Model(path).compile(cache=folder / "model.o")
    elif tool == "c":
        from sklkd import CPredictor

        CPredictor(folder / "student.c")
    elif case["model"] != "student":
        (folder / "model.onnx").write_bytes(graph(case["model"], model).SerializeToString())
    taken = seconds() - start
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return about | {"seconds": taken, "megabytes": most / 1024}


def called(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)


def import_tool(case):
    """What the tool imports is no part of what compiling takes."""
    modules = {
        "tl2cgen": ("tl2cgen", "treelite"),
        "lleaves": ("lleaves",),
        "onnx": ("sklkd",) if case["model"] == "student" else ("skl2onnx", "onnxmltools"),
        "c": ("sklkd",),
    }
    for module in modules.get(case["tool"], ()):
        __import__(module)


def seconds():
    """Of the processor, in this process and the compilers that it has called."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def graph(kind, model):
    """The model in ONNX, by its usual converter."""
    if kind == "forest":
        import skl2onnx

        return skl2onnx.to_onnx(model, np.zeros((1, COLUMNS), np.float32), options={"zipmap": False})
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    types = [("X", FloatTensorType([None, COLUMNS]))]
    if kind == "xgboost":
        return onnxmltools.convert_xgboost(model, initial_types=types)
    return onnxmltools.convert_lightgbm(model, initial_types=types, zipmap=False)


def opened(case, folder):
    """The file, what predicts in Python, the C function and the types of its numbers where there is one."""
    tool = case["tool"]
    if tool.startswith("timber"):
        from timber.runtime.predictor import TimberPredictor

        path = folder / "timber" / "libtimber_model.so"
        return path, TimberPredictor.from_artifact(path.parent).predict, np.float32, ctypes.CDLL(path)
    if tool == "tl2cgen":
        import tl2cgen

        path = folder / "model.so"
        library = ctypes.CDLL(path)
        library.get_threshold_type.restype = ctypes.c_char_p
        kind = np.dtype(library.get_threshold_type().decode())
        predictor = tl2cgen.Predictor(path, nthread=1)
        return path, lambda X: predictor.predict(tl2cgen.DMatrix(X, dtype=kind.name))[:, 0], kind, library
    if tool == "lleaves":
        import lleaves

        path = folder / "model.o"
        model = lleaves.Model(folder / "model.txt")
        model.compile(cache=path)
        return path, lambda X: model.predict(X, n_jobs=1), np.float64, model
    if tool == "c":
        from sklkd import CPredictor

        path = folder / "student.c"
        predictor = CPredictor(path)
        return path, predictor.predict_proba, np.float64, predictor._library
    if case["model"] == "student":
        from sklkd import OnnxPredictor

        return folder / "student.onnx", OnnxPredictor(folder / "student.onnx").predict_proba, np.float32, None
    return folder / "model.onnx", session(folder / "model.onnx"), np.float32, None


def session(path):
    """A call of a graph on one thread, through bound memory."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    run = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given, output, bound = run.get_inputs()[0].name, run.get_outputs()[1].name, {}

    def predict(X):
        if len(X) not in bound:
            binding, value = run.io_binding(), onnxruntime.OrtValue.ortvalue_from_numpy(X)
            binding.bind_ortvalue_input(given, value)
            binding.bind_output(output)
            bound[len(X)] = binding, value
        binding, value = bound[len(X)]
        value.update_inplace(X)
        run.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()[0]

    return predict


def in_c(tool, library, rows, folder):
    """Microseconds of one row in a loop in C."""
    (folder / "loops.c").write_text(LOOPS)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", folder / "loops.so", folder / "loops.c"], check=True)
    tool = tool.partition(",")[0]
    loop = ctypes.CDLL(folder / "loops.so")[tool]
    loop.restype = ctypes.c_double
    if tool == "lleaves":
        function = ctypes.c_void_p(library._execution_engine.get_function_address("forest_root"))
    else:
        names = {"c": "sklkd_predict_one", "tl2cgen": "predict", "timber": "timber_infer_single"}
        function = ctypes.cast(library[names[tool]], ctypes.c_void_p)
    return loop(function, ctypes.c_void_p(rows.ctypes.data), len(rows), rows.strides[0], 30)


def microseconds(call, pieces, rounds):
    """Of the processor per call, in the fastest of some rounds over all pieces."""
    best = np.inf
    for _ in range(rounds + 1):
        start = time.process_time()
        for piece in pieces:
            call(piece)
        best = min(best, (time.process_time() - start) / len(pieces))
    return 1e6 * best


def time_case(case, folder):
    """How long predictions take, the size of the file, and how far they are from the model's own."""
    path, call, kind, library = opened(case, folder)
    rows = np.ascontiguousarray(data()[2], dtype=kind)
    found = call(rows)
    return {
        "difference": float(np.abs(found - np.load(folder / "expected.npy")).max()),
        "in_c_us": None if library is None else in_c(case["tool"], library, rows, folder),
        "one_row_us": microseconds(call, [rows[k : k + 1].copy() for k in range(300)], 7),
        "batch_us": microseconds(call, [rows], 7) / len(rows),
        "bytes": library_bytes(path) if case["tool"] == "c" else path.stat().st_size,
    }


def library_bytes(path):
    """Of the shared library of a C file."""
    from sklkd.export._c_predictor import FLAGS

    library = path.with_suffix(".so")
    subprocess.run(["cc", *FLAGS, "-shared", "-fPIC", "-o", library, path, "-lm"], check=True)
    return library.stat().st_size


STEPS = {"fit": fit, "compile": compile_case, "time": time_case}


def step(name, case, folder, limited=False):
    """One step of a case in a process of its own: its figures, or why it gave none."""

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))

    command = [sys.executable, __file__, "--step", name, "--case", json.dumps(case), "--folder", folder]
    start = os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit if limited else None)
    end = os.times()
    used = sum(end[2:4]) - sum(start[2:4])
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if used >= SECONDS:
        return {"failed": f"more than {SECONDS} s"}
    last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or [f"ended by signal {-done.returncode}"]
    return {"failed": last[0][:200]}


def measure(case, folder):
    found = step("compile", case, folder, limited=True)
    return case | (found if "failed" in found else found | step("time", case, folder))


def cases(models, depths, all_trees, tools):
    """Grouped by what is fitted once, from few trees to many."""
    for model in models:
        for depth in ("tiny", "small") if model == "student" else depths:
            trees = (None,) if model == "student" else all_trees
            group = [
                {"model": model, "depth": depth, "trees": n, "tool": tool}
                for n in trees
                for tool in TOOLS[model]
                if tool in tools
            ]
            yield {"model": model, "depth": depth}, group


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", default=TOOLS)
    parser.add_argument("--depths", nargs="+", type=int, default=DEPTHS)
    parser.add_argument("--trees", nargs="+", type=int, default=TREES)
    parser.add_argument("--tools", nargs="+", default={tool for tools in TOOLS.values() for tool in tools})
    parser.add_argument("--out", type=Path)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.step:
        print(json.dumps(STEPS[given.step](given.case, given.folder)))
        return
    results = json.loads(given.out.read_text()) if given.out and given.out.exists() else []
    for model, group in cases(given.models, given.depths, given.trees, given.tools):
        known = {(one["model"], one["depth"], one["trees"], one["tool"]): one for one in results}
        left = [case for case in group if tuple(case[key] for key in ("model", "depth", "trees", "tool")) not in known]
        if not left:
            continue
        failed = {one["tool"] for one in results if "failed" in one and one.items() >= model.items()}
        with tempfile.TemporaryDirectory() as folder:
            most = max(case["trees"] or 0 for case in left)
            fitted = step("fit", model | {"most": most}, Path(folder))
            if fitted is not None:
                sys.exit(str(fitted))
            for case in left:
                if case["tool"] in failed:
                    continue
                results.append(measure(case, folder))
                if "failed" in results[-1]:
                    failed.add(case["tool"])
                print(results[-1], flush=True)
                if given.out:
                    given.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
