"""Messages to a module, on a run's control socket."""
import json, socket


class Refused(Exception):
    """What the run or the module answers instead."""


class Control:
    """HTTP on the run's socket, one request behind the other."""

    def __init__(self, path, module):
        self.path, self.module, self.link, self.rest = path, module, None, b""

    def ask(self, text):
        if self.link is None:
            self.link = socket.socket(socket.AF_UNIX)
            self.link.connect(self.path)
            self.rest = b""
        body = text.encode()
        head = f"POST /v1/modules/{self.module}/message HTTP/1.1\r\nHost: perigee\r\nContent-Length: {len(body)}\r\n\r\n"
        self.link.sendall(head.encode() + body)
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.read()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode().lower().split("\r\n")
        length = int(next(line.split(":")[1] for line in lines if line.startswith("content-length")))
        while len(self.rest) < length:
            self.rest += self.read()
        answer, self.rest = json.loads(self.rest[:length]), self.rest[length:]
        if "connection: close" in lines:
            self.link = None
        if " 200" not in lines[0]:
            raise Refused(json.dumps(answer))
        return answer["answers"][0]["text"]

    def read(self):
        part = self.link.recv(65536)
        assert part, "the run has closed the connection"
        return part
