"""A Redfish controller that refuses everything, and repeats all that it was sent. Arguments: its directory, a port."""

import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Telltale(BaseHTTPRequestHandler):
    """The root is for everybody; everything else is an error with the whole request in it."""

    def do_GET(self) -> None:
        """Also of what has a body."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.path == "/redfish/v1/":
            self._say(200, {"Systems": {"@odata.id": "/redfish/v1/Systems"}})
        else:
            words = f"{self.headers.get('Authorization')} {dict(self.headers)} {body}"
            self._say(500, {"error": {"message": words, "@Message.ExtendedInfo": [{"Message": words}]}})

    do_POST = do_PATCH = do_DELETE = do_GET

    def _say(self, status: int, document: dict[str, object]) -> None:
        answer = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def main() -> None:
    """Serve until killed."""
    directory = Path(sys.argv[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    server = HTTPServer(("127.0.0.1", int(sys.argv[2])), Telltale)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    (directory / "ready").touch()
    server.serve_forever()


if __name__ == "__main__":
    main()
