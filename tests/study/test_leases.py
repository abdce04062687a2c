"""Leases: never two holders, the dead are replaced, who slept gives up."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossassay.study.folder import leases as module
from lossassay.study.folder import owners
from lossassay.study.folder.leases import Leases, still_held

HOLDER = """
import sys, time
from pathlib import Path
from lossassay.study.folder.leases import Leases, still_held
folder = Path(sys.argv[1])
with Leases(folder, beat_seconds=0.1, expiry_seconds=0.6) as leases:
    print(leases.take("job"), flush=True)
    token = leases.token("job")
    for line in sys.stdin:
        print(still_held(folder, token), flush=True)
"""


def quick(folder: Path) -> Leases:
    return Leases(folder, beat_seconds=0.1, expiry_seconds=0.6)


@contextmanager
def holder(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that took the job."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert told(process) == "True"
            yield process
        finally:
            process.kill()


def told(process: "subprocess.Popen[str]", question: str = "") -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    if question:
        process.stdin.write(question + "\n")
        process.stdin.flush()
    return process.stdout.readline().strip()


def until(true: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every other process looks like one of another machine: all that is known of it is whether its lease changes."""
    monkeypatch.setattr(owners, "life", lambda name: "elsewhere")
    monkeypatch.setattr(module, "life", lambda name: "elsewhere")


def test_a_lease_has_one_holder_until_it_is_given_back(tmp_path: Path) -> None:
    with quick(tmp_path) as first, quick(tmp_path) as second:
        assert first.take("job")
        assert not second.take("job")
        assert not first.take("job")  # its job has not ended
        assert second.taken_by_others() == {"job"}
        assert first.taken_by_others() == set()
        first.give_back("job", done=False)
        assert second.take("job")
        assert not first.take("job")


def test_what_is_done_leaves_no_file(tmp_path: Path) -> None:
    with quick(tmp_path) as leases:
        leases.take("job")
        leases.give_back("job", done=False)
        leases.take("job")
        leases.give_back("job", done=True)
    assert list((tmp_path / "leases").iterdir()) == []


def test_leaving_gives_everything_back_also_after_ctrl_c(tmp_path: Path) -> None:
    def stopped() -> None:
        with quick(tmp_path) as leases:
            leases.take("job")
            leases.announce()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with quick(tmp_path) as other:
        assert not other.others()
        assert other.take("job")


def test_a_lease_that_was_given_back_names_no_machine(tmp_path: Path) -> None:
    with quick(tmp_path) as leases:
        leases.take("job")
        held = json.loads((tmp_path / "leases" / "job.1.json").read_text())
        assert held["process"] == owners.own_name()
    assert json.loads((tmp_path / "leases" / "job.1.json").read_text()) == {"for": "job", "given_back": True}


def test_a_killed_process_of_this_machine_is_replaced_at_once(tmp_path: Path) -> None:
    with holder(tmp_path) as process, Leases(tmp_path, expiry_seconds=3_600) as leases:
        assert not leases.take("job")
        process.kill()
        process.wait()
        assert leases.take("job")
        assert not (tmp_path / "leases" / "job.1.json").exists()


def test_a_killed_process_of_another_machine_is_replaced_when_its_lease_stands_still(
    tmp_path: Path, elsewhere: None
) -> None:
    with holder(tmp_path) as process, quick(tmp_path) as leases:
        started = time.monotonic()
        while time.monotonic() < started + 1.5:  # more than the expiry
            assert not leases.take("job")
            time.sleep(0.05)
        process.kill()
        process.wait()
        assert not leases.take("job")
        assert until(lambda: leases.take("job"))


def test_clocks_of_other_machines_do_not_matter(tmp_path: Path, elsewhere: None) -> None:
    path = tmp_path / "leases" / "job.1.json"
    with holder(tmp_path), quick(tmp_path) as leases:
        for years in (-30, 30):
            os.utime(path, (0, time.time() + years * 365 * 86_400))
            assert not leases.take("job")


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs Unix signals")
def test_a_holder_that_slept_too_long_notices_and_takes_nothing_away(tmp_path: Path) -> None:
    with holder(tmp_path) as process, quick(tmp_path) as leases:
        assert told(process, "still yours?") == "True"
        process.send_signal(signal.SIGSTOP)
        assert until(lambda: leases.take("job"))
        token = leases.token("job")
        process.send_signal(signal.SIGCONT)
        assert told(process, "still yours?") == "False"
        process.communicate(timeout=20)  # it leaves, and gives back what it thinks it holds
        assert still_held(tmp_path, token)
        with quick(tmp_path) as third:
            assert not third.take("job")


def test_a_process_number_that_another_process_got_is_no_holder(tmp_path: Path) -> None:
    own = psutil.Process()
    assert owners.life(owners.own_name()) == "alive"
    assert owners.life(f"{own.pid}-{int(own.create_time()) - 100}-{owners.place()}") == "gone"
    assert owners.life(f"{own.pid}-{int(own.create_time())}-0123456789") == "elsewhere"
    assert owners.life("letter") == "elsewhere"


def test_a_damaged_lease_expires(tmp_path: Path) -> None:
    (tmp_path / "leases").mkdir()
    (tmp_path / "leases" / "job.1.json").write_bytes(b'{"for": "jo')
    with quick(tmp_path) as leases:
        assert not leases.take("job")
        assert until(lambda: leases.take("job"))


def test_without_hard_links_there_is_one_holder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    with quick(tmp_path) as first, quick(tmp_path) as second:
        assert first.take("job")
        before = (tmp_path / "leases" / "job.1.json").read_bytes()
        assert not second.take("job")
        assert until(lambda: (tmp_path / "leases" / "job.1.json").read_bytes() != before)


def test_others_are_those_who_announced_themselves(tmp_path: Path) -> None:
    with quick(tmp_path) as first, quick(tmp_path) as second:
        assert not first.others()
        second.announce()
        assert first.others()
        assert not second.others()
    with quick(tmp_path) as third:
        assert not third.others()


def test_others_of_another_machine_that_were_cut_off_are_waited_out(tmp_path: Path, elsewhere: None) -> None:
    with quick(tmp_path) as first:
        first.announce()
        content = next((tmp_path / "leases").iterdir()).read_bytes()
    (tmp_path / "leases" / "process-0123.1.json").write_bytes(content)
    with quick(tmp_path) as second:
        assert not second.others()


def test_a_turn_is_had_by_one_at_a_time(tmp_path: Path) -> None:
    inside, most = [], []

    def work() -> None:
        with quick(tmp_path) as leases, leases.turn("analysis"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


@settings(max_examples=30, deadline=None)
@given(script=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["take", "back", "done", "sleep"])), max_size=40))
def test_whatever_happens_in_whatever_order_one_holds_it(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple[int, str]]
) -> None:
    """Sleepers are holders that others were told are dead; they may wake up and give back what is not theirs."""
    folder = tmp_path_factory.mktemp("leases")
    with quick(folder) as a, quick(folder) as b, quick(folder) as c:
        own, asleep = {0: a, 1: b, 2: c}, set()
        for who, what in script:
            if what == "take" and own[who].take("job"):
                asleep.discard(who)
            elif what == "sleep" and "job" in own[who]._held:
                asleep.add(who)
                path = own[who]._held["job"].path
                if path.exists():  # as if given back: others may take it now
                    path.write_bytes(json.dumps({"for": "job", "given_back": True}).encode())
            elif what in ("back", "done"):
                own[who].give_back("job", done=what == "done" and who not in asleep)
                asleep.discard(who)
            awake = [key for key in own if "job" in own[key]._held and key not in asleep]
            assert len(awake) <= 1
            assert all(still_held(folder, own[key].token("job")) for key in awake)


RACER = """
import os, random, sys, time
from pathlib import Path
from lossassay.study.folder.leases import Leases
folder, seed = Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
with Leases(folder, beat_seconds=0.05, expiry_seconds=30) as leases:
    left = set(range(40))
    while left:
        job = chance.choice(sorted(left))
        done = folder / f"done-{job}"
        if done.exists():
            left.discard(job)
        elif leases.take(str(job)):
            if not done.exists():
                with open(folder / f"log-{job}", "a") as log:
                    log.write("begins\\n")
                (folder / f"busy-{job}").touch(exist_ok=False)
                time.sleep(0.002)
                if seed == 0 and chance.random() < 0.2:
                    (folder / f"busy-{job}").unlink()
                    os.kill(os.getpid(), 9)
                (folder / f"busy-{job}").unlink()
                done.touch(exist_ok=False)
            leases.give_back(str(job), done=True)
"""


def test_processes_that_race_do_everything_once(tmp_path: Path) -> None:
    """The first of them dies in the middle of a job, which is then begun twice; all others once."""
    processes = [subprocess.Popen([sys.executable, "-c", RACER, str(tmp_path), str(seed)]) for seed in range(4)]
    codes = [process.wait(timeout=60) for process in processes]
    assert codes == [-9, 0, 0, 0]
    begun = [(tmp_path / f"log-{job}").read_text().count("begins") for job in range(40)]
    assert sorted(begun) == [1] * 39 + [2]
    assert all((tmp_path / f"done-{job}").exists() for job in range(40))


def test_others_ends_when_a_presence_goes_while_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module._content

    def gone(path: Path) -> bytes | None:
        path.unlink(missing_ok=True)
        return real(path)

    found: list[bool] = []
    with quick(tmp_path) as mine:
        presence = {"for": "x", "holder": "abc", "process": "1-1-elsewhere"}
        (tmp_path / "leases" / "process-abc.1.json").write_text(json.dumps(presence))
        monkeypatch.setattr(module, "_content", gone)
        asking = threading.Thread(target=lambda: found.append(mine.others()), daemon=True)
        asking.start()
        asking.join(10)
    assert found == [False]


def test_a_lease_whose_file_cannot_be_deleted_ends_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses while another process reads it; a sticky folder refuses for files of other users."""
    real = Path.unlink

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.parent.name == "leases" and not path.name.startswith("."):
            raise PermissionError(13, "in use", str(path))
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    (tmp_path / "leases").mkdir()
    (tmp_path / "leases" / "process-dead.1.json").write_text(json.dumps({"process": f"1-5-{owners.place()}"}))
    with quick(tmp_path) as first, quick(tmp_path) as second:
        assert first.take("job")
        first.give_back("job", done=True)
        assert (tmp_path / "leases" / "job.1.json").exists()
        assert second.take("job")


def test_who_waits_for_a_turn_says_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.05)
    said: list[str] = []
    with quick(tmp_path) as first, quick(tmp_path) as second:
        assert first.take("start")
        timer = threading.Timer(0.6, lambda: first.give_back("start", done=False))
        timer.start()
        with second.turn("start", said.append):
            timer.join()
        with second.turn("analysis", said.append):
            pass
    assert said == ["waiting for another process on this folder, which is at: start"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the system's clock has to do")
def test_a_process_is_known_again_after_the_clock_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    name, real = owners.own_name(), psutil.boot_time()
    before = psutil.Process().create_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: real + 50)  # as after the clock was set
    assert psutil.Process().create_time() > before + 40  # what older versions compared
    assert owners.life(name) == "alive"


@pytest.mark.skipif(os.name != "posix", reason="needs Unix processes")
def test_a_process_that_the_system_hides_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def unseen(pid: int | None = None) -> int:
        raise psutil.NoSuchProcess(pid or 0)

    def refused(pid: int, number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(owners, "started_seconds", unseen)
    name = f"{2**22 + 7}-100-{owners.place()}"  # more than the highest process number of Linux
    assert owners.life(name) == "gone"
    monkeypatch.setattr(os, "kill", refused)
    assert owners.life(name) == "elsewhere"
