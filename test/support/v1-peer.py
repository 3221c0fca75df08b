"""A strict peer in the wire format of homcc 1.x, client and server, for tests.

Independent of homcc's own codec: Python's json, lzma and lzo modules, which 1.x used. Whatever the other side sends
has to be exactly what Python would have written; anything else ends the peer with a traceback.

    v1-peer.py client HOST PORT < request    request and answer are JSON, see `client`
    v1-peer.py server PORT LIMIT             prints its port, then a line of JSON per conversation
    v1-peer.py replay FILE.json              writes each recorded message anew and compares
"""

import base64
import hashlib
import json
import lzma
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import lzo

COMPRESSIONS = {
    "no_compression": (lambda data: data, lambda data: data),
    "lzo": (lzo.compress, lzo.decompress),
    "lzma": (lzma.compress, lzma.decompress),
}

KEYS = {
    "ArgumentMessage": (
        ["message_type", "args", "cwd", "dependencies"],
        ["target", "schroot_profile", "docker_container", "compression", "agent"],
    ),
    "DependencyRequestMessage": (["message_type", "sha1sum"], []),
    "DependencyReplyMessage": (["message_type", "size", "compression"], []),
    "CompilationResultMessage": (
        ["message_type", "files", "stdout", "stderr", "return_code", "compression", "dwarf_files"],
        [],
    ),
    "ConnectionRefusedMessage": (["message_type", "info"], []),
}


def encode(message, payload=b""):
    text = json.dumps(message).encode()
    return struct.pack("<Q", len(text)) + text + payload


def read_exactly(stream, count):
    data = stream.read(count)
    if len(data) < count:
        raise EOFError(f"{len(data)} of {count} bytes")
    return data


def receive(stream):
    """The next message and its payload, checked to the byte."""
    size = struct.unpack("<Q", read_exactly(stream, 8))[0]
    text = read_exactly(stream, size)
    message = json.loads(text)
    assert json.dumps(message).encode() == text, f"not as Python writes it: {text!r}"
    required, optional = KEYS[message["message_type"]]
    expected = required + [key for key in optional if key in message]
    lenient = message["message_type"] == "ConnectionRefusedMessage"
    assert lenient or list(message) == expected, f"members {list(message)}, expected {expected}"
    sizes = [message["size"]] if message["message_type"] == "DependencyReplyMessage" else []
    if message["message_type"] == "CompilationResultMessage":
        sizes = [entry["size"] for entry in message["files"] + message["dwarf_files"]]
    return message, [read_exactly(stream, each) for each in sizes]


def client(host, port):
    """Sends {args, cwd, files: {path: local path}, target, compression, …}; prints the end of the conversation."""
    request = json.load(sys.stdin)
    files = request.pop("files")
    contents = {path: open(local, "rb").read() for path, local in files.items()}
    sums = {path: hashlib.sha1(data).hexdigest() for path, data in contents.items()}
    by_sum = {sums[path]: data for path, data in contents.items()}
    compression = request.get("compression", "no_compression")
    message = {
        "message_type": "ArgumentMessage",
        "args": request["args"],
        "cwd": request["cwd"],
        "dependencies": sums,
    }
    for key in ("target", "schroot_profile", "docker_container", "compression"):
        if key in request:
            message[key] = request[key]
    asked = []
    with socket.create_connection((host, int(port))) as connection, connection.makefile("rb") as stream:
        connection.sendall(encode(message))
        while True:
            answer, payloads = receive(stream)
            if answer["message_type"] != "DependencyRequestMessage":
                break
            asked.append(answer["sha1sum"])
            packed = COMPRESSIONS[compression][0](by_sum[answer["sha1sum"]])
            reply = {"message_type": "DependencyReplyMessage", "size": len(packed), "compression": compression}
            connection.sendall(encode(reply, packed))
        assert stream.read() == b"", "more after the end"
    entries = answer.get("files", []) + answer.get("dwarf_files", [])
    assert answer.get("compression", compression) == compression or answer["return_code"] == 75
    unpack = COMPRESSIONS[answer.get("compression", "no_compression")][1]
    outputs = {entry["filename"]: base64.b64encode(unpack(data)).decode() for entry, data in zip(entries, payloads)}
    dwarf = [entry["filename"] for entry in answer.get("dwarf_files", [])]
    print(json.dumps({"answer": answer, "asked": asked, "outputs": outputs, "dwarf": dwarf}))


def sandbox(message, cwd):
    """The words before a command that is to run in the client's sandbox; /tmp is shared with it."""
    if "schroot_profile" in message:
        return ["schroot", "--chroot", message["schroot_profile"], "--directory", cwd, "--"]
    if "docker_container" in message:
        return ["docker", "exec", "--workdir", cwd, message["docker_container"]]
    return []


class Server:
    """As 1.x compiles: in a private folder that mirrors the client's paths, which are written out of the messages."""

    def __init__(self, limit):
        self.slots = threading.Semaphore(limit)
        self.limit = limit
        self.cache = {}
        self.lock = threading.Lock()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            report = {"asked": 0}
            try:
                self.converse(connection, stream, report)
            except Exception as error:  # the test reads it
                report["error"] = repr(error)
            with self.lock:
                print(json.dumps(report), flush=True)

    def converse(self, connection, stream, report):
        size = struct.unpack("<Q", read_exactly(stream, 8))[0]
        text = read_exactly(stream, size)
        message = json.loads(text)
        report["message_type"] = message["message_type"]
        if message["message_type"] not in KEYS:
            return  # 1.x closes on what it does not know
        assert json.dumps(message).encode() == text, f"not as Python writes it: {text!r}"
        report["arguments"] = message
        if not self.slots.acquire(blocking=False):
            refusal = {"message_type": "ConnectionRefusedMessage", "info": f"Limit {self.limit} reached"}
            connection.sendall(encode(refusal))
            return
        try:
            self.compile(connection, stream, message, report)
        finally:
            self.slots.release()

    def compile(self, connection, stream, message, report):
        compression = message.get("compression", "no_compression")
        with tempfile.TemporaryDirectory() as root:
            for path, sha1sum in message["dependencies"].items():
                assert os.path.isabs(path) and not path.startswith(("/usr/include/", "/usr/lib/")), path
                if sha1sum not in self.cache:
                    connection.sendall(encode({"message_type": "DependencyRequestMessage", "sha1sum": sha1sum}))
                    reply, payloads = receive(stream)
                    report["asked"] += 1
                    assert payloads[0] or reply["compression"] == "lzo", "an empty payload hangs 1.x"
                    data = COMPRESSIONS[reply["compression"]][1](payloads[0])
                    assert hashlib.sha1(data).hexdigest() == sha1sum
                    self.cache[sha1sum] = data
                os.makedirs(os.path.dirname(root + path), exist_ok=True)
                with open(root + path, "wb") as file:
                    file.write(self.cache[sha1sum])
            self.answer(connection, message, root, compression)

    def answer(self, connection, message, root, compression):
        cwd = root + message["cwd"]
        os.makedirs(cwd, exist_ok=True)
        name, *words = message["args"]
        assert "/" not in name, name
        sources = [word for word in words if re.search(r"\.(c|cc|cpp|cxx|m|mm)$", word)]
        output = words[words.index("-o") + 1] if "-o" in words else None
        kept, skip = [], False
        for word in words:
            if not skip and word not in ("-c", "-o", *sources):
                kept.append(re.sub(r"^(-I|-isystem|-iquote)?(/(?!usr/).*)$", rf"\1{root}\2", word))
            skip = word == "-o"
        files, stdout, stderr, status = [], "", "", 0
        for source in sources:
            stem = os.path.splitext(os.path.basename(source))[0]
            named = output if output and len(sources) == 1 else None
            named = root + named if named and named.startswith("/") else named
            target = os.path.join(cwd, named or f"{stem}.o")
            assert target.startswith(cwd), f"1.x hangs on an output outside of the working folder: {target}"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            path = root + os.path.join(message["cwd"], source)
            command = [*sandbox(message, cwd), name, *kept, f"-ffile-prefix-map={root}=", "-c", path]
            command += ["-o", named] if named else []
            run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, errors="surrogateescape")
            stdout += run.stdout.replace(root, "")
            stderr += run.stderr.replace(root, "")
            status = run.returncode
            if status:
                break
            files += [target] + [dwo for dwo in [os.path.splitext(target)[0] + ".dwo"] if os.path.exists(dwo)]
        packed = [(path[len(root):], COMPRESSIONS[compression][0](open(path, "rb").read())) for path in files]
        packed.sort(key=lambda entry: entry[0].endswith(".dwo"))
        entries = [{"filename": path, "size": len(data)} for path, data in packed]
        result = {
            "message_type": "CompilationResultMessage",
            "files": [entry for entry in entries if not entry["filename"].endswith(".dwo")],
            "stdout": stdout,
            "stderr": stderr,
            "return_code": status,
            "compression": compression,
            "dwarf_files": [entry for entry in entries if entry["filename"].endswith(".dwo")],
        }
        connection.sendall(encode(result, b"".join(data for _, data in packed)))


def server(port, limit):
    listener = socket.create_server(("127.0.0.1", int(port)))
    print(listener.getsockname()[1], flush=True)
    peer = Server(int(limit))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=peer.serve, args=(connection,), daemon=True).start()


def replay(path):
    """The recorded messages, read and written again by this peer."""
    import io

    for frame in json.load(open(path))["frames"]:
        data = base64.b64decode(frame["base64"])
        message, payloads = receive(io.BytesIO(data))
        assert encode(message, b"".join(payloads)) == data
        unpack = COMPRESSIONS[message.get("compression", "no_compression")][1]
        for payload in payloads:
            unpack(payload)
    print("ok")


if __name__ == "__main__":
    {"client": client, "server": server, "replay": replay}[sys.argv[1]](*sys.argv[2:])
