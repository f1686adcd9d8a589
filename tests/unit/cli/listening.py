"""The client's test server on a port of this machine, for commands that take a URL."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx

from unit.client.server import Server


class Listening:
    """A Server on a port of this machine."""

    def __init__(self, server: Server) -> None:
        self.requests = 0
        listening = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                listening.requests += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name: self.headers[name] for name in ("Host", "Content-Type")}
                response = server(httpx.Request("POST", f"http://server{self.path}", content=body, headers=headers))
                self.send_response(response.status_code)
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(response.content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Stops it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
