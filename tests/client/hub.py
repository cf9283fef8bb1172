"""A loopback stand-in for the platform's server: what setup, download, test and push ask of it.

The answers hold the fields that crunch-cli 13.0.1 insists on, and nothing of the real platform.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

CLONE_TOKEN = "a-clone-token"
PROJECT_TOKEN = "a-project-token"
METRICS = ("pearson-delta", "mmd", "l1-distance")
WHITELIST = "crunch-cli anndata scanpy numpy scipy pandas h5py psutil tqdm"
CHUNK_SIZE = 256 * 1024
"""Small, so that a model of demo size already goes up in several chunks."""

PAST, FUTURE = "2020-01-01T00:00:00", "2099-01-01T00:00:00"

COMPETITION = {
    "id": 1,
    "name": "broad-obesity-1",
    "start": PAST,
    "end": FUTURE,
    "status": "OPEN",
    "format": "UNSTRUCTURED",
    "mode": "OFFLINE",
    "splitKeyType": "STRING",
    "maxTeamSize": 1,
    "projectCreationLimit": 1,
    **dict.fromkeys(["displayName", "shortDescription", "hostedByName", "prizePoolShortText"], ""),
    **dict.fromkeys(["documentationUrl", "notebookUrl", "phalaKeyUrl"]),
    **dict.fromkeys(["external", "teamBased", "onlyTeamLeader", "encryptSubmissions"], False),
    **dict.fromkeys(["hideTrainFrequency", "hideForceFirstTrain"], False),
}
PROJECT = {"id": 1, "userId": 7, "name": "demo", "createdAt": PAST, "competitionId": 1}


@dataclass(frozen=True)
class Request:
    """One call of the client."""

    query: dict[str, list[str]]
    headers: Message
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)


class Refusal(Exception):
    """An answer other than 200; the client prints the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass
class Upload:
    """A file on its way up, chunk by chunk."""

    name: str
    size: int
    complete: bool = False
    chunks: dict[int, bytes] = field(default_factory=dict)

    def content(self) -> bytes:
        return b"".join(self.chunks[number] for number in sorted(self.chunks))


@dataclass(frozen=True)
class Submission:
    """What one push brought: file name -> bytes, the code and the model apart."""

    message: str
    main_file: str
    code: dict[str, bytes]
    model: dict[str, bytes]


class Hub:
    """The answers; `uploads` and `submissions` record what was pushed."""

    def __init__(self, data_files: list[Path]) -> None:
        self.data_files = {path.name: path for path in data_files}
        self.uploads: dict[str, Upload] = {}
        self.submissions: list[Submission] = []
        self.url = ""

    # Setting up

    def upgrade_token(self, request: Request) -> dict:
        if request.json()["cloneToken"] != CLONE_TOKEN:
            raise Refusal(401, "this clone token is not known")
        return {"id": 1, "type": "PERMANENT", "plain": PROJECT_TOKEN, "project": PROJECT}

    def competition(self, request: Request) -> dict:
        return COMPETITION

    def project(self, request: Request) -> dict:
        return PROJECT

    def metrics(self, request: Request) -> list[dict]:
        return [_metric(number, name) for number, name in enumerate(METRICS, start=1)]

    # Data

    def round(self, request: Request) -> dict:
        return {"id": 1, "number": 1, "start": PAST, "end": FUTURE}

    def phase(self, request: Request) -> dict:
        return {"id": 1, "type": "SUBMISSION", "start": PAST, "end": FUTURE}

    def data_release(self, request: Request) -> dict:
        files = {name: self._data_file(name) for name in self.data_files}
        release = {"id": 1, "number": 1, "name": "demo", "embargo": 0, "numberOfFeatures": 0}
        return {**release, "hash": None, "dataFiles": files}

    def _data_file(self, name: str) -> dict:
        size = self.data_files[name].stat().st_size
        source = {"name": name, "url": f"{self.url}data/{name}", "size": size}
        return {**source, "signed": True, "compressed": False}

    def data(self, request: Request, name: str) -> bytes:
        return self.data_files[name].read_bytes()

    # Pushing

    def library(self, request: Request) -> dict:
        (name,) = request.query["name"]
        library = {"language": "PYTHON", "name": name, "aliases": [], "standard": False}
        known = name.lower() in WHITELIST.split()
        return {"content": [{**library, "freeze": False}] if known else []}

    def create_upload(self, request: Request) -> dict:
        wanted = request.json()
        upload_id = str(len(self.uploads) + 1)
        self.uploads[upload_id] = Upload(wanted["name"], wanted["size"])
        return self._upload(upload_id)

    def _upload(self, upload_id: str) -> dict:
        upload = self.uploads[upload_id]
        n_chunks = max(1, -(-upload.size // CHUNK_SIZE))
        return {
            "id": upload_id,
            "name": upload.name,
            "size": upload.size,
            "encrypted": False,
            "mediaType": "application/octet-stream",
            "chunked": n_chunks > 1,
            "status": "SUCCEEDED" if upload.complete else "IN_PROGRESS",
            "provider": "AWS_S3",
            "expiresAt": FUTURE,
            "createdAt": PAST,
            "chunks": [_chunk(upload, number) for number in range(1, n_chunks + 1)],
        }

    def chunk_request(self, request: Request, upload_id: str, number: str) -> dict:
        return {"method": "PUT", "url": f"{self.url}s3/{upload_id}/{number}", "headers": {}}

    def store_chunk(self, request: Request, upload_id: str, number: str) -> bytes:
        self.uploads[upload_id].chunks[int(number)] = request.body
        return b""

    def confirm_chunk(self, request: Request, upload_id: str, number: str) -> dict:
        upload = self.uploads[upload_id]
        if request.json()["hash"] != _etag(upload.chunks[int(number)]):
            raise Refusal(400, "the hash of the chunk is not that of what was stored")
        return _chunk(upload, int(number))

    def complete_upload(self, request: Request, upload_id: str) -> dict:
        upload = self.uploads[upload_id]
        if len(upload.content()) != upload.size:
            raise Refusal(400, f"{upload.name} is not whole")
        upload.complete = True
        return self._upload(upload_id)

    def submit(self, request: Request) -> dict:
        if request.headers["Authorization"] != f"Project-Token {PROJECT_TOKEN}":
            raise Refusal(401, "a submission needs the token of the project")
        sent = request.json()
        code, model = self._contents(sent["codeFiles"]), self._contents(sent["modelFiles"])
        self.submissions.append(Submission(sent["message"], sent["mainFilePath"], code, model))
        number = len(self.submissions)
        return {**sent, "id": number, "number": number, "totalSize": 0, "createdAt": PAST}

    def _contents(self, upload_ids: dict[str, str]) -> dict[str, bytes]:
        return {name: self.uploads[key].content() for name, key in upload_ids.items()}


def _metric(number: int, name: str) -> dict:
    named = {"id": number, "name": name, "displayName": name}
    target = {**named, "virtual": False, "primary": number == 1}
    unit = {"prefix": None, "scale": 4, "suffix": None}
    return {**named, "unit": unit, "weight": 1, "score": True, "multiplier": 1, "target": target}


def _chunk(upload: Upload, number: int) -> dict:
    offset = (number - 1) * CHUNK_SIZE
    size = min(CHUNK_SIZE, upload.size - offset)
    place = {"number": number, "offset": offset, "size": size}
    return {**place, "last": offset + size == upload.size, "completed": number in upload.chunks}


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_COMPETITION = "/v1/competitions/[^/]+"
_PROJECT = "/v[34]/competitions/1/projects/7/demo"
_PHASES = "/v2/competitions/[^/]+/rounds/1/phases"
_UPLOAD = "/v1/uploads/(?P<upload_id>[0-9]+)"
_CHUNK = _UPLOAD + "/chunks/(?P<number>[0-9]+)"
ROUTES = {
    "POST /v2/project-tokens/upgrade": Hub.upgrade_token,
    f"GET {_COMPETITION}": Hub.competition,
    f"GET {_COMPETITION}/metrics": Hub.metrics,
    f"GET {_COMPETITION}/rounds/@current": Hub.round,
    f"GET {_PROJECT}": Hub.project,
    f"POST {_PROJECT}/submissions": Hub.submit,
    f"GET {_PHASES}/SUBMISSION": Hub.phase,
    f"GET {_PHASES}/submission/data-release": Hub.data_release,
    "GET /data/(?P<name>[^/]+)": Hub.data,
    "GET /v2/libraries": Hub.library,
    "POST /v1/uploads": Hub.create_upload,
    f"POST {_UPLOAD}/complete": Hub.complete_upload,
    f"GET {_CHUNK}/request": Hub.chunk_request,
    f"POST {_CHUNK}/confirm": Hub.confirm_chunk,
    "PUT /s3/(?P<upload_id>[0-9]+)/(?P<number>[0-9]+)": Hub.store_chunk,
}


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        address = urlsplit(self.path)
        request = Request(parse_qs(address.query), self.headers, body)
        # The client asks for the whitelist at //v2/libraries.
        call = f"{self.command} {re.sub('/+', '/', address.path)}"
        try:
            self._send(200, "OK", _route(self.hub, call, request), _etag(body))
        except Refusal as refusal:
            self._send(refusal.status, str(refusal), {"code": "REFUSED", "message": str(refusal)})

    def _send(self, status: int, reason: str, content: dict | list | bytes, etag: str = "") -> None:
        raw = isinstance(content, bytes)
        body = content if raw else json.dumps(content).encode()
        self.send_response(status, reason)
        self.send_header("Content-Type", "text/plain" if raw else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep standard error quiet."""

    do_GET = do_POST = do_PUT = _answer


def _route(hub: Hub, call: str, request: Request) -> dict | list | bytes:
    for pattern, answer in ROUTES.items():
        if match := re.fullmatch(pattern, call):
            return answer(hub, request, **match.groupdict())
    raise Refusal(404, f"the hub has no answer to {call}")


@contextmanager
def running_hub(data_files: list[Path]) -> Iterator[Hub]:
    """Serve `data_files` as the data release on a free loopback port until the block ends."""
    hub = Hub(data_files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
