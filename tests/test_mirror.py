"""The mirror's own laws: tests that trust it need one that answers, and fails, as it says."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.mirror import Fault, Faults, Mirror, serve

BODY = bytes(range(256)) * 4000
PATHS = [f"/train/{number:016x}.jpg" for number in range(200)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a directory with a large file, a file with a space in its name, and a secret beside it."""
    root = tmp_path / "root"
    (root / "train").mkdir(parents=True)
    (root / "train" / "a.jpg").write_bytes(BODY)
    (root / "a b.csv").write_bytes(b"ImageID\n")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


def get(mirror: Mirror, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers and the body of one answer."""
    connection = http.client.HTTPConnection(urlsplit(mirror.url).netloc, timeout=5)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        response = connection.getresponse()
        return response.status, dict(response.headers), response.read()
    finally:
        connection.close()


def outcome(mirror: Mirror, path: str) -> str:
    """Return the status of one answer, or the name of the exception that it ended in."""
    try:
        return str(get(mirror, path)[0])
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__


def begins(mirror: Mirror, path: str) -> bool:
    """Tell whether the headers of an answer arrive, and leave its body."""
    try:
        urllib.request.urlopen(mirror.url + path, timeout=5).close()  # noqa: S310
    except OSError:
        return False
    return True


def test_serves_a_file_with_its_length_and_validators(root: Path) -> None:
    """A GET answers the file's bytes, and a HEAD the same headers without them."""
    with serve(root) as mirror:
        status, headers, body = get(mirror, "/train/a.jpg")
        assert (status, body) == (200, BODY)
        assert headers["Content-Length"] == str(len(BODY))
        assert headers["ETag"]
        assert headers["Last-Modified"].endswith("GMT")
        assert get(mirror, "/train/a.jpg", "HEAD") == (200, headers, b"")
    assert [request.method for request in mirror.requests] == ["GET", "HEAD"]


def test_decodes_paths_and_ignores_queries(root: Path) -> None:
    """A percent-encoded path names the decoded file, whatever its query says."""
    with serve(root) as mirror:
        assert get(mirror, "/a%20b.csv?generation=1")[2] == b"ImageID\n"
    assert mirror.requests[0].path == "/a b.csv"


@pytest.mark.parametrize(
    "path",
    ["/../secret", "/train/../../secret", "/%2e%2e/secret", "//etc/passwd", "/train", "/", "/no", "/a%00b"],
)
def test_nothing_outside_the_root_and_no_directory_is_served(root: Path, path: str) -> None:
    """Whatever is not a file below the root is not found."""
    with serve(root) as mirror:
        assert get(mirror, path)[0] == 404


def test_other_methods_are_refused(root: Path) -> None:
    """A mirror is read-only."""
    with serve(root) as mirror:
        assert get(mirror, "/train/a.jpg", "DELETE")[0] == 405


@pytest.mark.parametrize(
    "asked, part",
    [
        ("bytes=1000-", range(1000, len(BODY))),
        ("bytes=5-9", range(5, 10)),
        ("bytes=-3", range(1023997, 1024000)),
    ],
)
def test_a_range_answers_that_part(root: Path, asked: str, part: range) -> None:
    """A range is answered 206 with its bytes and its place in the whole."""
    with serve(root) as mirror:
        status, headers, body = get(mirror, "/train/a.jpg", Range=asked)
    assert (status, body) == (206, BODY[part.start : part.stop])
    assert headers["Content-Range"] == f"bytes {part.start}-{part.stop - 1}/{len(BODY)}"


def test_a_range_beyond_the_end_is_416(root: Path) -> None:
    """A range that begins at or beyond the end is answered with the size of the whole."""
    with serve(root) as mirror:
        status, headers, _ = get(mirror, "/train/a.jpg", Range=f"bytes={len(BODY)}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(BODY)}")
    assert mirror.requests[0].range_start == len(BODY)


def test_conditions_tell_a_changed_file(root: Path) -> None:
    """After a file changed, If-Match is answered 412 and If-Range with the whole file."""
    with serve(root) as mirror:
        tag = get(mirror, "/train/a.jpg")[1]["ETag"]
        assert get(mirror, "/train/a.jpg", Range="bytes=9-", If_Range=tag)[0] == 206
        assert get(mirror, "/train/a.jpg", Range="bytes=9-", If_Match=tag)[0] == 206
        (root / "train" / "a.jpg").write_bytes(BODY[:-1])
        assert get(mirror, "/train/a.jpg", Range="bytes=9-", If_Range=tag)[::2] == (200, BODY[:-1])
        assert get(mirror, "/train/a.jpg", Range="bytes=9-", If_Match=tag)[0] == 412


def test_one_connection_carries_many_requests(root: Path) -> None:
    """Connections are kept alive until the client asks otherwise."""
    with serve(root) as mirror:
        connection = http.client.HTTPConnection(urlsplit(mirror.url).netloc)
        connection.connect()
        first = connection.sock
        for path in ("/no", "/train/a.jpg", "/a%20b.csv"):
            connection.request("GET", path)
            connection.getresponse().read()
            assert connection.sock is first
        connection.request("GET", "/no", headers={"Connection": "close"})
        connection.getresponse().read()
        assert connection.sock.recv(1) == b""
        connection.close()


def test_latency_delays_every_answer(root: Path) -> None:
    """No answer comes before the latency has passed."""
    with serve(root, latency_s=0.1) as mirror:
        start_s = time.monotonic()
        get(mirror, "/no")
        assert time.monotonic() - start_s >= 0.1


@pytest.mark.parametrize(
    "fault, expected",
    [
        (Fault.RESET, {"ConnectionResetError", "IncompleteRead"}),
        (Fault.SHORT, {"IncompleteRead"}),
        (Fault.UNAVAILABLE, {"503"}),
        (Fault.TOO_MANY, {"429"}),
        (Fault.NOT_FOUND, {"404"}),
        (Fault.HTML, {"200"}),
    ],
)
def test_each_fault_looks_to_the_client_as_it_says(root: Path, fault: Fault, expected: set[str]) -> None:
    """A share of 1 makes every request go wrong in that way, and the mirror records it."""
    with serve(root, faults=Faults(1, **{fault.value: 1.0})) as mirror:  # type: ignore[arg-type]
        assert {outcome(mirror, "/train/a.jpg") for _ in range(10)} <= expected
    assert Counter(request.answer for request in mirror.requests) == {fault: 10}


def test_resets_come_before_and_within_the_body(root: Path) -> None:
    """Some resets come before the headers and some after."""
    with serve(root, faults=Faults(1, reset=1.0)) as mirror:
        begun = [begins(mirror, "/train/a.jpg") for _ in range(20)]
    assert 0 < sum(begun) < 20


def test_too_many_says_when_to_come_back(root: Path) -> None:
    """A 429 names the configured number of seconds."""
    with serve(root, faults=Faults(too_many=1.0, retry_after_s=3)) as mirror:
        assert get(mirror, "/train/a.jpg")[1]["Retry-After"] == "3"


def test_html_is_a_whole_page(root: Path) -> None:
    """The captive portal's page has its right length and type."""
    with serve(root, faults=Faults(html=1.0)) as mirror:
        _, headers, body = get(mirror, "/train/a.jpg", Range="bytes=9-")
    assert headers["Content-Type"] == "text/html"
    assert body.startswith(b"<!DOCTYPE html>")


def test_a_stall_sends_a_part_and_then_nothing(root: Path) -> None:
    """A stalled answer begins with the declared length, then the client waits in vain."""
    with serve(root, faults=Faults(1, stall=1.0)) as mirror:
        connection = http.client.HTTPConnection(urlsplit(mirror.url).netloc, timeout=0.3)
        connection.request("GET", "/train/a.jpg")
        response = connection.getresponse()
        assert response.headers["Content-Length"] == str(len(BODY))
        with pytest.raises(TimeoutError):
            response.read()
        response.close()
        connection.close()


def test_closing_does_not_wait_for_a_stalled_client(root: Path) -> None:
    """The mirror ends at once, and its thread with it, while a client still waits for the rest."""
    with serve(root, faults=Faults(stall=1.0)) as mirror:
        connection = http.client.HTTPConnection(urlsplit(mirror.url).netloc)
        connection.request("GET", "/train/a.jpg")
        response = connection.getresponse()
        start_s = time.monotonic()
    assert time.monotonic() - start_s < 1
    assert not [thread for thread in threading.enumerate() if thread.name == "mirror"]
    with pytest.raises((OSError, http.client.IncompleteRead)):
        response.read()
    response.close()
    connection.close()


MIX = Faults(7, reset=0.1, stall=0.05, unavailable=0.1, too_many=0.1, short=0.1, html=0.1, not_found=0.1)


def test_shares_are_kept() -> None:
    """Over many requests each fault takes about its share, and nothing the rest."""
    picked = Counter(MIX.pick(path, attempt) for path in PATHS for attempt in range(100))
    for fault in Fault:
        scale = 1.0 if fault is Fault.NOT_FOUND else 0.9  # the others share what is found
        assert picked[fault] / picked.total() == pytest.approx(scale * getattr(MIX, fault), abs=0.05)


def test_faults_do_not_depend_on_concurrency(root: Path) -> None:
    """The n-th attempt on a path ends in the same way whether requests come in turn or all at once."""
    faults = Faults(7, reset=0.1, unavailable=0.2, too_many=0.1, short=0.1, html=0.1, not_found=0.1)
    outcomes = []
    for num_threads in (1, 16):
        with serve(root, faults=faults) as mirror, ThreadPoolExecutor(num_threads) as pool:
            for _ in range(3):
                list(pool.map(lambda path: outcome(mirror, path), PATHS))
        outcomes.append({path: [r.answer for r in mirror.requests if r.path == path] for path in PATHS})
    assert outcomes[0] == outcomes[1]


def test_another_seed_picks_other_requests() -> None:
    """The seed alone decides which requests go wrong."""
    one, two = ([Faults(seed, reset=0.5).pick(path, 0) for path in PATHS] for seed in (1, 2))
    assert one != two


def test_not_found_is_for_good() -> None:
    """A path that is not found once is never found, and no attempts are spent on it."""
    faults = Faults(3, not_found=0.5, unavailable=0.5, attempts=2)
    lost = {path for path in PATHS if faults.pick(path, 0) is Fault.NOT_FOUND}
    assert 0 < len(lost) < len(PATHS)
    assert {faults.pick(path, attempt) for path in lost for attempt in range(10)} == {Fault.NOT_FOUND}
    assert not any(faults.pick(path, 2) for path in set(PATHS) - lost)


def test_faults_end_after_the_given_attempts(root: Path) -> None:
    """With `attempts`, every path works in the end."""
    with serve(root, faults=Faults(unavailable=1.0, attempts=2)) as mirror:
        assert [outcome(mirror, "/train/a.jpg") for _ in range(4)] == ["503", "503", "200", "200"]


def test_faults_can_be_kept_to_some_paths(root: Path) -> None:
    """With `only`, the paths that do not match are answered well."""
    with serve(root, faults=Faults(unavailable=1.0, only="*.jpg")) as mirror:
        assert [outcome(mirror, path) for path in ("/train/a.jpg", "/a%20b.csv")] == ["503", "200"]


@pytest.mark.parametrize(
    "faults", [lambda: Faults(reset=-0.1), lambda: Faults(reset=0.6, short=0.6), lambda: Faults(only=".jpg")]
)
def test_faults_that_cannot_be_are_refused(faults: Callable[[], Faults]) -> None:
    """Shares outside [0, 1] or above 1 together, and a glob that matches no path, are errors."""
    with pytest.raises(ValueError, match=r"shares|only"):
        faults()


def test_runs_as_a_process(root: Path) -> None:
    """The command line prints the URL first, takes the faults as options and ends on SIGINT."""
    options = [str(root), "--unavailable", "1", "--only", "*.jpg"]
    command = [sys.executable, "-W", "error", "-m", "tests.mirror", *options]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/a%20b.csv", timeout=5) as response:  # noqa: S310
            assert response.read() == b"ImageID\n"
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(f"{url}/train/a.jpg", timeout=5)  # noqa: S310
        assert raised.value.code == 503
        raised.value.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 0
