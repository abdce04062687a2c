"""What the user asks for, and addresses where no cluster is."""

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lossassay.cli import main
from lossassay.errors import ClusterError, UnknownNameError
from lossassay.executors.choice import Executor, check_reachable
from lossassay.executors.ray_cluster import import_ray


def test_unknown_words_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'ray'"):
        Executor(kind="rya")
    with pytest.raises(UnknownNameError, match="Did you mean 'object-store'"):
        Executor(kind="ray", transfer="object_store")


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ClusterError, match="local executor, which has no cluster"):
        Executor(address="auto")
    with pytest.raises(ClusterError, match=r"--gpu-share is 2; expected"):
        Executor(kind="ray", gpu_share=2)
    with pytest.raises(ClusterError, match="checkpoint_seconds is -1"):
        Executor(kind="ray", checkpoint_seconds=-1)


@pytest.fixture
def rude_port() -> Iterator[int]:
    """A port where something listens that is no Ray: it hangs up at the first word."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            line, _ = server.accept()
            line.recv(10)
            line.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(timeout=10)


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_no_ray_answers_is_named(rude_port: int, scheme: str) -> None:
    with pytest.raises(ClusterError, match=r"no Ray cluster at '.*ray start --head"):
        check_reachable(f"{scheme}127.0.0.1:{rude_port}")


def test_an_address_where_nobody_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ClusterError, match=r"no Ray cluster at .*refused"):
        check_reachable(f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["nonsense", "http://here:1", "ray://here", "here:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ClusterError, match=r"is not one of a Ray cluster. Expected auto, HOST:PORT"):
        check_reachable(address)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"pip install \"lossassay\[ray\]\""):
        import_ray()


def test_the_command_line_says_what_to_do_and_leaves_with_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = 'name = "x"\narms = [{ loss = "mean_squared_error" }]\n[data]\npath = "digits"\n'
    (tmp_path / "study.toml").write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    for options, message in (
        (["--executor", "ray", "--address", address], f"There is no Ray cluster at '{address}'"),
        (["--executor", "dask"], "No executor is called 'dask'"),
        (["--transfer", "shared"], "--address and --transfer came with the local executor"),
    ):
        out = ["--out", str(tmp_path / "out")]
        monkeypatch.setattr(sys, "argv", ["lossassay", "run", str(tmp_path / "study.toml"), *out, *options])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert message in " ".join(shown.err.split())
    assert not (tmp_path / "out").exists()
