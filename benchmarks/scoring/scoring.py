"""Rows a second of a student where the data is, beside those of its forest in the same place, in one run.

    OMP_NUM_THREADS=1 python benchmarks/scoring/scoring.py [--rows 200000] [--trees 100] [--workers 2]

30 numeric columns, 5 classes, a student of the size "small". In this process on one thread; on a Dask cluster of worker
processes of one thread each, the rows in their memory; on Spark in local mode, cached, where pyspark is importable; and
behind the web service of ``service.py``, by one client over one connection.
"""

import argparse
import http.client
import json
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import dask.dataframe as dd
import numpy as np
import pandas as pd
import torch
from dask import delayed
from distributed import Client, LocalCluster, wait
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from sklkd import DistilledClassifier, OnnxPredictor, to_onnx
from sklkd.students import TabularStudent

ROUNDS = 2
FOLDER = Path(__file__).parent

SERVER = """
import pickle, sys
from http.server import ThreadingHTTPServer
from service import Scores
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Scores)
server.predictor = pickle.load(open(sys.argv[1], "rb"))
server.serve_forever()
"""


def rows_a_second(calls, n):
    """Of the fastest of some rounds for each, after one that warms up: in turn, since others share the machine."""
    times = {name: [] for name in calls}
    for _ in range(1 + ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: n / min(taken[1:]) for name, taken in times.items()}


def here(models, X):
    return rows_a_second({name: partial(model.predict_proba, X) for name, model in models.items()}, len(X))


def with_dask(models, X, workers):
    """On a cluster of processes: a sum of the probabilities comes back."""
    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster):
        ddf = dd.from_pandas(X, npartitions=4 * workers).persist()
        wait(ddf)
        meta = models["OnnxPredictor"].predict_proba(ddf)._meta
        lazy = {name: model.predict_proba(ddf) for name, model in models.items() if name != "forest"}
        forest = delayed(models["forest"])
        lazy["forest"] = ddf.map_partitions(lambda part, forest: forest.predict_proba(part), forest, meta=meta)
        return rows_a_second({name: one.sum().compute for name, one in lazy.items()}, len(X))


def with_spark(models, X, workers):
    """In local mode: all rows are scored, and written nowhere."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from on_spark import scored
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{workers}]").config("spark.driver.memory", "3g")
    spark = builder.config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false").getOrCreate()
    with tempfile.TemporaryDirectory() as folder:
        X.to_parquet(Path(folder) / "rows.parquet", row_group_size=len(X) // (4 * workers))
        table = spark.read.parquet(str(Path(folder) / "rows.parquet")).repartition(4 * workers).cache()
        assert table.count() == len(X)
        lazy = {name: scored(spark, table, models[name]) for name in ("forest", "OnnxPredictor")}
        writes = {name: one.write.format("noop").mode("overwrite").save for name, one in lazy.items()}
        found = rows_a_second(writes, len(X))
    spark.stop()
    return found


def with_the_web(models, X, together):
    """From a service in a process of its own, so many rows a request."""
    rows = X[: 100 * together].to_numpy().round(6)
    requests = [json.dumps(rows[i : i + together].tolist()) for i in range(0, len(rows), together)]
    with ExitStack() as stack:
        calls = {}
        for name in ("forest", "OnnxPredictor"):
            connection = stack.enter_context(service(models[name]))
            calls[name] = partial(answers, connection, requests)
        return rows_a_second(calls, len(rows))


@contextmanager
def service(model):
    """A connection to a process that serves the model."""
    with tempfile.NamedTemporaryFile() as file, socket.socket() as free:
        pickle.dump(model, file)
        file.flush()
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        path = os.pathsep.join([str(FOLDER), str(FOLDER.parents[1]), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-W", "ignore", "-c", SERVER, file.name, str(port)]
        process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})
        try:
            yield connected(port)
        finally:
            process.kill()
            process.wait()


def connected(port):
    """A connection, once the service listens."""
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.connect()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
    raise TimeoutError(f"nothing listens on port {port}.")


def answers(connection, requests):
    for request in requests:
        connection.request("POST", "/", request)
        answer = connection.getresponse()
        assert answer.status == 200
        json.loads(answer.read())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    X, y = make_classification(options.rows, 30, n_informative=15, n_classes=5, random_state=0)
    X = pd.DataFrame(X.astype(np.float32), columns=[f"x{j}" for j in range(30)])
    forest = RandomForestClassifier(options.trees, n_jobs=1, random_state=0).fit(X[:20_000], y[:20_000])
    # how well it has learnt plays no part in how long it takes
    net = TabularStudent("small", max_epochs=2)
    est = DistilledClassifier(forest, net, hard_weight=0.1, blend=0, cv=None, augment=None, random_state=0)
    est.fit(X[:4000], y[:4000])
    with tempfile.TemporaryDirectory() as folder:
        predictor = OnnxPredictor(to_onnx(est, Path(folder) / "student.onnx").path)
    models = {"forest": forest, "estimator": est.without_teacher(), "OnnxPredictor": predictor}
    print("| where | forest | estimator | over forest | OnnxPredictor | over forest |", flush=True)
    print("| --- | --: | --: | --: | --: | --: |", flush=True)

    def show(where, found):
        cells = [f"{found['forest']:,.0f}"]
        for name in ("estimator", "OnnxPredictor"):
            cells += [f"{found[name]:,.0f}", f"{found[name] / found['forest']:.1f}"] if name in found else ["", ""]
        print(f"| {where} | {' | '.join(cells)} |", flush=True)

    show("one process", here(models, X))
    show(f"Dask, {options.workers} processes", with_dask(models, X, options.workers))
    try:
        import pyspark
    except ImportError:
        print("| Spark: pyspark is not installed | | | | | |")
    else:
        show(f"Spark {pyspark.__version__}, local[{options.workers}]", with_spark(models, X, options.workers))
    for together in (1, 100):
        show(f"web, {together} row(s) a request", with_the_web(models, X, together))


if __name__ == "__main__":
    main()
