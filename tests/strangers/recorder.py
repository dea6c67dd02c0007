"""Writes down what passes between a client and the API: a line of JSON for each call, on stdout.

Runs beside the client, on its machine of the lab; the client's endpoint is this program, this
program's is the API. Says `ready PORT` first. Nothing of the headers is written down: they hold
signatures and session tokens.
"""

import argparse
import http.client
import http.server
import json
import threading
import urllib.parse

CALL_SECONDS = 30
# As the lab: the largest honest call is a RunInstances with 16 KiB of user data.
BODY_BYTES_MAX = 1024 * 1024
# Those of one connection only; the other side has its own.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


def handler(upstream, lock):
    class Recorder(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            length = int(self.headers.get("Content-Length", 0))
            if length > BODY_BYTES_MAX:
                self.send_error(413)
                return
            body = self.rfile.read(length)
            connection = http.client.HTTPConnection(*upstream, timeout=CALL_SECONDS)
            headers = {n: v for n, v in self.headers.items() if n.lower() not in HOP_BY_HOP}
            connection.request("POST", self.path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            connection.close()
            line = {
                "form": body.decode("utf-8"),
                "status": answer.status,
                "body": text.decode("utf-8"),
            }
            with lock:
                print(json.dumps(line), flush=True)
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    return Recorder


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--to", required=True, help="the API's URL")
    to = urllib.parse.urlsplit(parser.parse_args().to)
    upstream = (to.hostname, to.port or 80)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), handler(upstream, threading.Lock())
    )
    print("ready %d" % server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
