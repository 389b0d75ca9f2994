"""The web service that the guide shows."""

from __future__ import annotations

import json
import runpy
import threading
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

SERVICE = Path(__file__).parents[2] / "benchmarks" / "scoring" / "service.py"


@pytest.fixture
def connection(served):
    server = ThreadingHTTPServer(("127.0.0.1", 0), runpy.run_path(str(SERVICE))["Scores"])
    server.predictor = served
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    connection = HTTPConnection(*server.server_address)
    yield connection
    connection.close()
    server.shutdown()
    thread.join()
    server.server_close()


def answer(connection, body):
    connection.request("POST", "/", body)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_rows_get_their_probabilities(connection, served, problem):
    for rows in (problem[0][:1], problem[0]):
        status, found = answer(connection, json.dumps(rows.tolist()))
        assert status == 200
        np.testing.assert_array_equal(found, served.predict_proba(rows))


def test_a_missing_value_is_null(connection, served, problem):
    rows = problem[0][:3].copy()
    rows[1, 1] = np.nan
    found = answer(connection, json.dumps(rows.tolist()).replace("NaN", "null"))
    np.testing.assert_allclose(found[1], served.predict_proba(rows), rtol=1e-6)


@pytest.mark.parametrize("body", ["[[1, 2]]", "[]", "no JSON", '[["a", 1, 1, 1, 1, 1]]'])
def test_what_is_refused_is_said_and_the_next_request_is_served(connection, problem, body):
    status, found = answer(connection, body)
    assert status == 422 and found["error"]
    assert answer(connection, json.dumps(problem[0].tolist()))[0] == 200
