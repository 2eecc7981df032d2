"""A small Hugging Face Hub on 127.0.0.1, whose client is `huggingface_hub` itself: it lists, serves and commits."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_of_a_test"


@dataclass
class FakeHub:
    """Repositories as they are, and what happened.

    Attributes:
        repos: USER/REPO -> revision -> file -> content.
        private: Repositories that were created as such.
        gated: Repositories of which nothing is given.
        sizes: (repository, file) -> size that is told instead of the true one.
        requests: Method and path of each request.
        commits: Summary of each commit.
        status: Answer to every request, if not 0.
    """

    repos: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    sizes: dict[tuple[str, str], int | None] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    status: int = 0
    uploads: dict[str, bytes] = field(default_factory=dict)
    endpoint: str = ""

    def add(self, repo: str, files: dict[str, bytes], revision: str = "main") -> None:
        self.repos.setdefault(repo, {"main": {}})[revision] = files

    def commit_of(self, repo: str, revision: str) -> str:
        files = self.repos[repo][revision]
        return hashlib.sha1(repr([revision, *sorted(files.items())]).encode()).hexdigest()

    def revision(self, repo: str, name: str) -> str | None:
        return next((one for one in self.repos[repo] if name in (one, self.commit_of(repo, one))), None)


class _Answer(Exception):
    def __init__(self, status: int, content: Any = None, **headers: str) -> None:
        self.status, self.headers = status, {key.replace("_", "-"): value for key, value in headers.items()}
        self.content = content if isinstance(content, bytes) else json.dumps(content or {}).encode()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.requests.append(f"{self.command} {path}")
            try:
                if hub.status:
                    raise _Answer(hub.status)
                self.answer(path, body)
                answer = _Answer(404)
            except _Answer as found:
                answer = found
            self.send_response(answer.status)
            length = answer.headers.pop("Content-Length", str(len(answer.content)))
            for key, value in {**answer.headers, "Content-Length": length}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.content)

        do_HEAD = do_POST = do_PUT = do_GET

        def answer(self, path: str, body: bytes) -> None:
            if path == "/api/whoami-v2":
                self.require_login()
                raise _Answer(200, {"name": "lab", "type": "user"})
            if path == "/api/repos/create":
                self.require_login()
                asked = json.loads(body)
                repo = f"{asked.get('organization') or 'lab'}/{asked['name']}"
                if repo in hub.repos:
                    raise _Answer(409, {"url": f"{hub.endpoint}/{repo}"})
                hub.repos[repo] = {"main": {".gitattributes": b"*.safetensors filter=lfs\n"}}
                hub.private |= {repo} if asked.get("visibility") == "private" or asked.get("private") else set()
                raise _Answer(200, {"url": f"{hub.endpoint}/{repo}"})
            if path == "/api/validate-yaml":
                front = re.match(r"---\n(.*?)\n---\n", json.loads(body)["content"], re.DOTALL)
                assert front and isinstance(yaml.safe_load(front[1]), dict)
                raise _Answer(200, {"errors": [], "warnings": []})
            if found := re.fullmatch(r"/upload/(\w+)", path):
                hub.uploads[found[1]] = body
                assert hashlib.sha256(body).hexdigest() == found[1]
                raise _Answer(200)
            if found := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
                self.require_login()
                objects = [
                    {**one, "actions": {"upload": {"href": f"{hub.endpoint}/upload/{one['oid']}"}}}
                    for one in json.loads(body)["objects"]
                ]
                raise _Answer(200, {"transfer": "basic", "objects": objects})
            if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|preupload|commit)/(.+))?", path):
                repo, what, name = found[1], found[2], found[3] or "main"
                files = self.files(repo, name)
                if what in (None, "revision"):
                    siblings = [
                        {"rfilename": file, "size": hub.sizes.get((repo, file), len(content))}
                        for file, content in files.items()
                    ]
                    raise _Answer(200, {"id": repo, "sha": self.commit(repo, name), "siblings": siblings})
                self.require_login()
                if what == "preupload":
                    told = [
                        {
                            "path": one["path"],
                            "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular",
                            "shouldIgnore": False,
                        }
                        for one in json.loads(body)["files"]
                    ]
                    raise _Answer(200, {"files": told})
                self.take(repo, name, files, body)
            if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/(.+?)/(.+)", path):
                repo, name, file = found.groups()
                files = self.files(repo, name)
                commit = self.commit(repo, name)
                if file not in files:
                    raise _Answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
                content = files[file]
                etag = hashlib.sha256(content).hexdigest()
                size = hub.sizes.get((repo, file)) or len(content)
                told = {"Content-Length": str(size)} if self.command == "HEAD" else {}
                raise _Answer(200, content, ETag=f'"{etag}"', X_Repo_Commit=commit, **told)

        def require_login(self) -> None:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise _Answer(401, {"error": "Invalid username or password."})

        def files(self, repo: str, name: str) -> dict[str, bytes]:
            if repo not in hub.repos:
                raise _Answer(404, X_Error_Code="RepoNotFound")
            if repo in hub.gated:
                raise _Answer(403, X_Error_Code="GatedRepo")
            found = hub.revision(repo, name)
            if found is None:
                raise _Answer(404, X_Error_Code="RevisionNotFound")
            return hub.repos[repo][found]

        def commit(self, repo: str, name: str) -> str:
            return hub.commit_of(repo, str(hub.revision(repo, name)))

        def take(self, repo: str, name: str, files: dict[str, bytes], body: bytes) -> None:
            lines = [json.loads(line) for line in body.splitlines()]
            header = next(line["value"] for line in lines if line["key"] == "header")
            if header.get("parentCommit") not in (None, self.commit(repo, name)):
                raise _Answer(412, {"error": "A commit has happened since. Please refresh and try again."})
            for line in lines:
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = hub.uploads[value["oid"]]
            hub.commits.append(header["summary"])
            commit = self.commit(repo, name)
            raise _Answer(200, {"commitUrl": f"{hub.endpoint}/{repo}/commit/{commit}", "commitOid": commit})

    return Handler


@contextmanager
def serve(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve a hub until the block ends; it knows its address then."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub)) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        hub.endpoint = f"http://127.0.0.1:{httpd.server_address[1]}"
        yield hub
        httpd.shutdown()
        thread.join()
