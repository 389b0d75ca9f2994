"""A web service that scores rows: python service.py student.onnx 8000"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sklkd import OnnxPredictor


class Scores(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for many requests
    disable_nagle_algorithm = True

    def do_POST(self):
        try:
            rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = 200, self.server.predictor.predict_proba(rows).tolist()
        except (TypeError, ValueError) as error:
            status, answer = 422, {"error": str(error)}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Write nothing for each request."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Scores)
    server.predictor = OnnxPredictor(sys.argv[1])
    server.serve_forever()
