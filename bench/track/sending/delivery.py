"""Brings the journal's entries to MLflow in order, now and in the background, and keeps what MLflow refuses."""

import json
import sys
import threading
from pathlib import Path

from bench.track.reaching.connect import Refused, why
from bench.track.sending.journal import Entry, Journal
from bench.track.sending.store import Store

SEND_EVERY_SECONDS = 5.0
POINTS_A_REQUEST = 500


class Delivery:
    """The way from a process to MLflow. `say` never waits for the server; a thread sends every few seconds."""

    def __init__(self, store: Store, folder: Path, shown_uri: str) -> None:
        self._store, self._folder, self._uri = store, folder, shown_uri
        self._journal = Journal.of_this_process(folder)
        self._sending = threading.RLock()
        self._stop = threading.Event()
        self._away = False
        self._adopt()
        self._sender = threading.Thread(target=self._send_now_and_then, name="tracker", daemon=True)
        self._sender.start()

    def say(self, entry: Entry) -> None:
        self._journal.append(entry)

    def send(self, *, again: bool = False) -> bool:
        """Sends what waits; True if nothing is left. A server known to be away is tried only if `again`."""
        with self._sending:
            return (again or not self._away) and self._drain(self._journal)

    def close(self) -> None:
        """Sends the rest. What cannot be sent stays in the journal for the next process."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._sender.join()
        with self._sending:
            self._drain(self._journal)
            self._journal.close()

    def _send_now_and_then(self) -> None:
        while not self._stop.wait(SEND_EVERY_SECONDS):
            if self.send(again=True):
                self._adopt()

    def _adopt(self) -> None:
        with self._sending:
            for journal in Journal.left_behind(self._folder):
                self._drain(journal)
                journal.close()

    def _drain(self, journal: Journal) -> bool:
        waiting = journal.waiting()
        if not waiting:
            return True  # nothing was asked of the server: who knows whether it is back
        for entry, count in _merged(waiting):
            if not self._arrives(entry):
                self._note_away(len(waiting))
                return False
            journal.arrived(count)
        self._note_back()
        return True

    def _arrives(self, entry: Entry) -> bool:
        """True once nothing is left to do for an entry: it arrived, or was refused twice by a server that is well."""
        for last in (False, True):
            try:
                self._store.apply(entry)
                return True
            except Exception as error:
                answer = error if isinstance(error, Refused) else why(error, self._store.client)
                if not isinstance(answer, Refused):
                    return False
                if last:
                    self._keep_refused(entry, str(answer))
        return True

    def _keep_refused(self, entry: Entry, reason: str) -> None:
        path = self._folder / "refused.txt"
        with path.open("a") as file:
            file.write(json.dumps({"reason": reason, "entry": entry}) + "\n")
        print(f"tracking: a record ({entry['op']}) was refused: {reason}; it is kept in {path}", file=sys.stderr)

    def _note_away(self, waiting: int) -> None:
        if not self._away:
            kept = f"{waiting} records wait in {self._folder} and are delivered when it is back"
            print(f"tracking: {self._uri} does not answer; {kept}", file=sys.stderr, flush=True)
        self._away = True

    def _note_back(self) -> None:
        if self._away:
            print(f"tracking: {self._uri} is back; everything was delivered", file=sys.stderr, flush=True)
        self._away = False


def _merged(entries: list[Entry]) -> list[tuple[Entry, int]]:
    """Neighbouring `log` entries of one run as one request, each with the number of entries it stands for."""
    merged: list[tuple[Entry, int]] = []
    for entry in entries:
        last, count = merged[-1] if merged else ({}, 0)
        same = entry["op"] == last.get("op") == "log" and entry["key"] == last["key"]
        if same and len(last["points"]) < POINTS_A_REQUEST:
            merged[-1] = ({**last, "points": last["points"] + entry["points"]}, count + 1)
        else:
            merged.append((entry, 1))
    return merged
