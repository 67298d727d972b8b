"""A directory and a bucket are written to alike: whole or not at all, and nobody else's files are touched."""

import http.client
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from operator import methodcaller
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from oidata.errors import StorageError, UsageError
from oidata.io.files import partial_of
from oidata.io.outputs import Bucket, Directory, Output, _reason, output

PARTS_BYTES = 12_000_000  # the client uploads more than 5 MiB in parts


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    return scratch


@pytest.fixture(params=["s3", "gs"])
def place(request: pytest.FixtureRequest, bucket: Any) -> Output:
    """A bucket of each kind."""
    return output(f"{request.param}://{bucket.name}/the/run")


@pytest.fixture(params=["directory", "s3", "gs"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Output:
    """Each kind of output, ready and empty."""
    if request.param == "directory":
        out = output(tmp_path / "the" / "run")
    else:
        out = output(f"{request.param}://{request.getfixturevalue('bucket').name}/the/run")
    out.prepare({})
    return out


def write(out: Output, name: str, data: bytes, error: BaseException | None = None) -> None:
    """Write a file, and come to grief over it if there is an error."""
    with out.whole(name) as path:
        path.write_bytes(data)
        if error:
            raise error


def read(out: Output, name: str) -> bytes:
    """A file's bytes."""
    with out.local(name) as path:
        return path.read_bytes()


@pytest.mark.parametrize("num_bytes", [0, 3, PARTS_BYTES])
def test_what_is_written_is_read(out: Output, scratch: Path, num_bytes: int) -> None:
    """A file of any size has, once written, its size and its bytes; no temporary file is left."""
    data = os.urandom(num_bytes)
    write(out, "train.record-00000-of-00010", data)
    assert out.sizes() == {"train.record-00000-of-00010": num_bytes}
    assert read(out, "train.record-00000-of-00010") == data
    assert list(scratch.iterdir()) == []


def test_text_is_written_as_it_is(out: Output) -> None:
    """Text is written as UTF-8 with its line ends."""
    out.write_text("label_map.pbtxt", "é\r\n\n")
    assert read(out, "label_map.pbtxt") == b"\xc3\xa9\r\n\n"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_nothing_behind(out: Output, scratch: Path, error: type[BaseException]) -> None:
    """Whatever ends the block early passes on; nothing is there that was not, under any name."""
    with pytest.raises(error):
        write(out, "new", b"half", error())
    assert out.sizes() == {}
    assert list(scratch.iterdir()) == []


def test_a_file_is_overwritten_whole(out: Output) -> None:
    """Until the block ends well the old bytes are there, then the new ones."""
    write(out, "a", b"old")
    with pytest.raises(ValueError, match="mine"):
        write(out, "a", b"half", ValueError("mine"))
    assert read(out, "a") == b"old"
    with out.whole("a") as path:
        path.write_bytes(b"newer")
        assert read(out, "a") == b"old"
    assert (out.sizes(), read(out, "a")) == ({"a": 5}, b"newer")


def test_a_block_that_writes_nothing_is_an_error(out: Output) -> None:
    """Without a file there is nothing to name: a StorageError that names it."""
    with pytest.raises(StorageError, match=r"the/run/a: No such file"), out.whole("a"):
        pass


def test_a_removed_file_is_gone(out: Output) -> None:
    """A file is removed, and one that is not there need not be; the others stay."""
    out.write_text("a", "x")
    out.write_text("b", "x")
    for _ in range(2):
        out.remove("a")
    assert out.sizes() == {"b": 1}


def test_what_lies_below_is_left_alone(out: Output) -> None:
    """What is in a sub-directory is neither listed nor touched by what is done beside it."""
    below = output(f"{out.url}/below")
    below.prepare({})
    below.write_text("a", "theirs")
    out.write_text("a", "ours")
    assert out.sizes() == {"a": 4}
    out.remove("a")
    assert below.sizes() == {"a": 6}


def test_an_output_goes_to_another_process(out: Output) -> None:
    """An output survives pickling, and is written to from a process that was not there when it was made."""
    assert pickle.loads(pickle.dumps(out)) == out  # noqa: S301 - our own bytes
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(methodcaller("write_text", "a", "from afar"), out).result()
    assert read(out, "a") == b"from afar"


def test_credentials_do_not_travel(place: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credential of the environment is in what is sent to other machines."""
    for name in ("AWS_SECRET_ACCESS_KEY", "GOOGLE_BEARER_TOKEN"):
        monkeypatch.setenv(name, "hush")
    place.prepare({})
    assert b"hush" not in pickle.dumps(place)


def test_to_prepare_a_bucket_leaves_nothing(place: Output, bucket: Any) -> None:
    """That a bucket can be written to is found out without an object or a begun upload in it afterwards."""
    place.prepare({"a": 1})
    assert list(bucket.objects.all()) == []
    assert list(bucket.multipart_uploads.all()) == []


def test_a_folder_that_a_console_made_is_no_file(bucket: Any) -> None:
    """The empty object by which consoles mark a folder has no name, and is no file."""
    bucket.put_object(Key="the/run/", Body=b"")
    assert output("s3://shards/the/run").sizes() == {}


def test_an_object_beside_the_prefix_is_not_below_it(bucket: Any) -> None:
    """A prefix ends where its name does."""
    bucket.put_object(Key="the/runner", Body=b"x")
    bucket.put_object(Key="the/running/a", Body=b"x")
    assert output("s3://shards/the/run").sizes() == {}


def test_partial_files_are_counted_and_belong_to_no_other_run(tmp_path: Path) -> None:
    """Bytes under temporary names are counted, not listed; what a killed run left of the files to come is removed."""
    out = output(tmp_path)
    with out.whole("a") as path:
        path.write_bytes(b"half")
        partial_of(tmp_path / "b", "killed").write_bytes(b"left")
        assert out.partial_bytes(["a", "b", "c"]) == 8
        assert out.sizes() == {}
        out.prepare({"b": 1})
        assert out.partial_bytes(["a", "b", "c"]) == 4


def test_nobody_tells_what_is_on_its_way_to_a_bucket(place: Output) -> None:
    """Of an upload nothing is counted before it is there."""
    with place.whole("a") as path:
        path.write_bytes(b"half")
        assert place.partial_bytes(["a"]) == 0


def test_a_directory_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    """There are no files where there is no directory; to prepare it makes it."""
    out = output(tmp_path / "a" / "b")
    assert out.sizes() == {}
    out.prepare({})
    assert (tmp_path / "a" / "b").is_dir()


def test_too_little_space_is_told_beforehand(out: Output, scratch: Path) -> None:
    """Files that do not fit are an error with what is needed and what there is, before any is written."""
    with pytest.raises(StorageError, match=r"has [\d,.]+ GB free; 1,000,000,000\.000 GB are needed") as caught:
        out.prepare({"a": 10**18})
    told = out.url if isinstance(out, Directory) else str(scratch)
    assert caught.value.message.startswith(told)


FILL = """
import sys
from oidata.errors import StorageError
from oidata.io.outputs import output
for where in sys.argv[1:]:
    try:
        with output(where).whole("a.record") as path:
            path.write_bytes(bytes(200_000))
    except StorageError as error:
        print(error)
"""


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """Where space runs out in a directory, or for the temporary file of an upload, nothing partial is left."""
    apart = ["unshare", "--map-root-user", "--mount"]
    if not which("unshare") or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    mounted = 'mount -t tmpfs -o size=64k small "$1" && "$0" -c "$2" "$1" s3://shards/run; ls -A "$1"'
    command = [*apart, "sh", "-ec", mounted, sys.executable, str(tmp_path), FILL]
    env = os.environ | {"TMPDIR": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    refusal = f"Cannot write {tmp_path}/a.record: No space left on device."
    assert [line[: len(refusal)] for line in run.stdout.splitlines()] == [refusal, refusal]


@pytest.mark.parametrize("prepare", [lambda out: out.prepare({}), lambda out: out.sizes()], ids=["prepare", "sizes"])
def test_a_path_that_is_a_file_is_a_storage_error(tmp_path: Path, prepare: Callable[[Output], object]) -> None:
    """A file is no directory, and the error names it."""
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(StorageError, match=r"taken.*Not a directory"):
        prepare(output(tmp_path / "taken"))


# What lets root into every directory.
POWERS = "-dac_override,-dac_read_search"


@pytest.mark.skipif(os.geteuid() == 0 and not which("setpriv"), reason="root may write to every directory")
def test_a_directory_that_is_closed_to_us(tmp_path: Path) -> None:
    """A directory that may not be written to is refused before anything is."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    as_anybody = ["setpriv", f"--bounding-set={POWERS}", f"--inh-caps={POWERS}"] if os.geteuid() == 0 else []
    script = "import sys; from oidata.io.outputs import output; output(sys.argv[1]).prepare({})"
    command = [*as_anybody, sys.executable, "-c", script, str(closed)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"StorageError: Cannot write {closed}: Permission denied." in run.stderr


ACTS: dict[str, Callable[[Output], object]] = {
    "prepare": lambda out: out.prepare({}),
    "sizes": lambda out: out.sizes(),
    "write": lambda out: out.write_text("a", "x"),
    "whole": lambda out: write(out, "a", bytes(PARTS_BYTES)),
    "local": lambda out: read(out, "a"),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_bucket_that_is_not_there(scheme: str, act: Callable[[Output], object]) -> None:
    """Whatever is asked of a bucket that does not exist is an error with its URL and the next step, in two lines."""
    with pytest.raises(StorageError, match=f"{scheme}://nowhere/run.*NoSuchBucket") as caught:
        act(output(f"{scheme}://nowhere/run"))
    assert "\n" not in caught.value.message
    assert caught.value.hint == "Create the bucket, or check its spelling."


def test_a_file_that_is_not_there(place: Output) -> None:
    """To read what is not in the bucket is an error that names it."""
    with pytest.raises(StorageError, match=r"Cannot read .*the/run/a: .*NoSuchKey"):
        read(place, "a")


def authenticate(server: str, after: str) -> None:
    """Let the server look at credentials once it has given so many answers."""
    connection = http.client.HTTPConnection(server.removeprefix("http://"))
    connection.request("POST", "/moto-api/reset-auth", body=after)
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_credentials_that_the_server_refuses(bucket_server: str, act: Callable[[Output], object]) -> None:
    """Credentials that are nobody's are an error that says which variables hold them."""
    authenticate(bucket_server, "0")
    try:
        with pytest.raises(StorageError, match=r"s3://shards/run.*InvalidAccessKeyId") as caught:
            act(output("s3://shards/run"))
    finally:
        authenticate(bucket_server, "inf")
    assert caught.value.hint.startswith("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY ")


@pytest.mark.parametrize(
    "scheme, variable, value",
    [("s3", "AWS_ACCESS_KEY_ID", None), ("gs", "GOOGLE_SERVICE_ACCOUNT", "/no/such/file.json")],
)
@pytest.mark.usefixtures("bucket")
def test_credentials_that_are_not_there(
    scheme: str, variable: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment lacks credentials, nothing is written as nobody: an error says which to set."""
    monkeypatch.delenv("GOOGLE_BEARER_TOKEN")
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(StorageError, match=f"{scheme}://shards/run: ") as caught:
        output(f"{scheme}://shards/run").prepare({})
    assert caught.value.hint.startswith("Set ")


@pytest.mark.usefixtures("bucket")
def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that cannot be reached is an error within half a minute, with the system's word for it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    begin = time.monotonic()
    with pytest.raises(StorageError, match=r"s3://shards/run: Connection refused.*AWS_ENDPOINT_URL"):
        output("s3://shards/run").prepare({})
    assert time.monotonic() - begin < 30


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("endpoint", ["minio:9000", "127.0.0.1", "http://", "s3://bucket"])
def test_an_address_that_is_no_url(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's address that cannot be one is an error that names the variable."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(StorageError, match=f"AWS_ENDPOINT_URL is '{endpoint}'"):
        output("s3://shards/run").prepare({})


@pytest.mark.parametrize(
    "dump, expected",
    [
        ('ConnectError("dns error", Custom { kind: Uncategorized, error: "no such host" })', "no such host"),
        ("kind: Timeout, source: reqwest::Error { kind: Request, source: TimedOut }", "TimedOut"),
        ("kind: Unknown", "HTTP error: error sending request"),
    ],
)
def test_the_reason_is_the_innermost_cause(dump: str, expected: str) -> None:
    """Of the causes that the client dumps the last one is told; without one, the end of its line."""
    assert _reason(f"Generic S3 error: PUT in 7s - HTTP error: error sending request\n\n{dump}") == expected


class OneBadPart(BaseHTTPRequestHandler):
    """Takes every part of an upload but the second."""

    asked: list[str]

    def answer(self) -> None:
        """Read the request, note it, and answer."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append(f"{self.command} {self.path}")
        self.send_response(400 if "partNumber=2" in self.path else 200)
        self.send_header("ETag", '"x"')
        self.end_headers()
        if self.command == "POST":
            self.wfile.write(b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")

    do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - as http.server calls them

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.usefixtures("bucket")
def test_an_upload_that_dies_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a part is refused the upload is called off, so that no object comes of it and no part is kept."""
    asked: list[str] = []
    handler = type("Handler", (OneBadPart,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(StorageError, match=r"s3://shards/run/a.*400 Bad Request"):
            write(output("s3://shards/run"), "a", bytes(PARTS_BYTES))
        server.shutdown()
    assert asked[0] == "POST /shards/run/a?uploads="
    assert "DELETE /shards/run/a?uploadId=u" in asked
    assert len([request for request in asked if request.startswith("POST")]) == 1


@pytest.mark.parametrize(
    "where, expected",
    [
        ("s3://bucket", Bucket("s3://bucket")),
        ("gs://my.bucket_1/a/b=c/", Bucket("gs://my.bucket_1/a/b=c")),
        ("file:///data/a%20b", Directory(Path("/data/a b"))),
        ("/data/shards/", Directory(Path("/data/shards"))),
        (Path("/data/a:b"), Directory(Path("/data/a:b"))),
        ("here", Directory(Path.cwd() / "here")),
        ("run:1", Directory(Path.cwd() / "run:1")),
    ],
)
def test_a_place_is_a_path_or_a_url(where: str | Path, expected: Output) -> None:
    """What names a bucket is one, everything else without a scheme a directory, absolute."""
    assert output(where) == expected


def test_a_url_is_as_a_config_names_it(tmp_path: Path) -> None:
    """A bucket's URL has no `/` at its end; a directory's is its path."""
    assert output("s3://bucket/run/").url == "s3://bucket/run"
    assert output(tmp_path).url == str(tmp_path)


@pytest.mark.parametrize(
    "where, hint",
    [
        ("", "Give a directory"),
        ("http://host/shards", "Give a directory"),
        ("s3://", "Give a directory"),
        ("s3:///prefix", "Did you mean s3://prefix?"),
        ("s3://bucket/a b", "Give a directory"),
        ("s3://bucket/a%20b", "Give a directory"),
        ("s3://bucket/../b", "Give a directory"),
        ("s3://bucket/*", "Give a directory"),
        ("file://host/data", "Give a directory"),
        ("file:data", "Give a directory"),
        ("S3://bucket/x", "Did you mean s3://bucket/x?"),
        ("s3a://bucket/x", "Did you mean s3://bucket/x?"),
        ("gcs://bucket", "Did you mean gs://bucket?"),
        ("s3:/bucket/x", "Did you mean s3://bucket/x?"),
        (Path("gs://bucket/x"), "Did you mean gs://bucket/x?"),
        ("s3:bucket/x", "Did you mean s3://bucket/x?"),
    ],
)
def test_what_names_no_place_is_a_usage_error(where: str | Path, hint: str) -> None:
    """What cannot be written to is refused at once, with what can be, or was meant."""
    with pytest.raises(UsageError, match="no place") as caught:
        output(where)
    assert caught.value.hint.startswith(hint)
