"""Optuna's journals, in a file or on a Redis server, made safe against what can fail."""

import json
import math
import os
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend

from titanic_nn.errors import StudyError

RECONNECT = 30  # seconds to try to reach a Redis server again

REDIS_PREFIX = "titanic_nn"
# Appends ARGV[3] to the journal, whose entry ARGV[1] must still be ARGV[2]: 0 if it is not, -1 if
# later entries are missing or in the way. Those were written since this worker last read: by
# others, or by an earlier try.
APPEND = """
local function log(number) return string.format('%s:%d', KEYS[2], number) end
local newest = tonumber(redis.call('get', KEYS[1]) or -1)
local read = tonumber(ARGV[1])
if newest < read or (redis.call('get', log(read)) or '') ~= ARGV[2] then return 0 end
for number = read + 1, newest do
    local entry = redis.call('get', log(number))
    if entry == ARGV[3] then return 1 elseif not entry then return -1 end
end
if redis.call('exists', log(newest + 1)) == 1 then return -1 end
redis.call('set', log(newest + 1), ARGV[3])
redis.call('set', KEYS[1], newest + 1)
return 1
"""


class JournalFile(JournalFileBackend):
    """Optuna's journal file, under a lock that the operating system releases if a process dies.

    Unlike Optuna's, it does not force each of a trial's dozen lines to the disk. What a killed
    process wrote is kept; only a power cut could lose the last lines.
    """

    def __init__(self, path: Path, *, timeout: float) -> None:
        """`timeout`: seconds to wait for the lock; then filelock.Timeout is raised."""
        super().__init__(str(path))
        self._path = path
        self._file_lock = FileLock(f"{path}.lock", timeout=timeout)

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Every operation from this number on."""
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise StorageInternalError(f"a line is damaged ({error})") from None

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write operations, a line each: all of them or, if that fails, none."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._file_lock, self._path.open("r+b", buffering=0) as file:
            end = _end_of_last_line(file)
            try:
                file.truncate(end)
                file.seek(end)
                left = memoryview(lines.encode())
                while left:
                    left = left[file.write(left) :]
            except OSError:
                file.truncate(end)
                raise

    def repair(self) -> None:
        """Cut off a torn last line, which a killed process or a full disk leaves.

        Raises StudyError at any other line that is not an operation.
        """
        with self._file_lock, self._path.open("r+b") as file:
            start = 0
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n") and _starts_alike(line, b'{"op_code":'):
                    file.truncate(start)
                    return
                if not _is_operation(line):
                    raise StudyError(
                        f"{self._path}, line {number}: is not a line of Optuna's journal; keep "
                        f"only the first {number - 1} lines, or move the file away"
                    )
                start += len(line)


def _end_of_last_line(file: IO[bytes]) -> int:
    """The position after a file's last line feed; a torn line may follow."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 1))
    if file.read(1) in (b"", b"\n"):
        return end
    file.seek(0)
    return file.read().rfind(b"\n") + 1


def _is_operation(line: bytes) -> bool:
    with suppress(ValueError):
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    return False


def _starts_alike(one: bytes, other: bytes) -> bool:
    return one.startswith(other) or other.startswith(one)


class RedisServer:
    """A connection to a Redis server that outlives a restart of the server.

    A command whose answer was lost is sent again: twice must have the effect of once.
    """

    def __init__(self, url: str) -> None:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # The client's own retries are nested, and take minutes. Protocol 2 has clearer errors.
        options: Any = {"socket_timeout": 5, "retry": Retry(NoBackoff(), 0), "protocol": 2}
        self._client: Any = Redis.from_url(url, **options)
        self._give_up_at = 0.0  # at once, before the first answer

    def __call__(self, *command: str | bytes | int) -> Any:
        """The answer to a command.

        Raises StorageInternalError where it is an error, or is missing for RECONNECT seconds.
        """
        from redis import exceptions as errors

        while True:
            try:
                answer = self._client.execute_command(*command)
            except (errors.ConnectionError, errors.TimeoutError) as error:
                now = time.monotonic()
                self._give_up_at = min(self._give_up_at, now + RECONNECT)
                refused = isinstance(error, errors.AuthenticationError | errors.AuthorizationError)
                if refused or now >= self._give_up_at:
                    raise StorageInternalError(str(error) or repr(error)) from None
                time.sleep(0.2)
            except errors.RedisError as error:
                message, _, _ = (str(error) or repr(error)).partition(" script: ")
                raise StorageInternalError(message) from None
            else:
                self._give_up_at = math.inf
                return answer


class RedisJournal(BaseJournalBackend):
    """A journal in the keys of Optuna's Redis backend: `log_number`, and `log:0` to that number.

    Unlike Optuna's, it has no snapshots, which are pickles and could run any code. It writes an
    entry once, even if the connection was lost meanwhile. Where the server lost entries, or has
    others in their place, it raises StorageInternalError; Optuna's would wait or overwrite them.
    """

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._read, self._last = -1, b""  # the number and the text of the newest entry read

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Every operation from this number on."""
        text = self._server("GET", f"{REDIS_PREFIX}:log_number") or b"-1"
        try:
            newest = int(text)
        except ValueError:
            raise _damaged("log_number") from None
        if newest < self._read:
            raise _lost() if self._read >= 0 else _damaged("log_number")
        for start in range(log_number_from, newest + 1, 1000):
            numbers = range(start - 1, min(start + 1000, newest + 1))
            keys = [f"{REDIS_PREFIX}:log:{number}" for number in numbers]
            before, *entries = self._server("MGET", *keys)
            if (before or b"") != self._last:
                raise _lost()
            for number, entry in zip(numbers[1:], entries, strict=True):
                try:
                    operation = json.loads(entry)
                except (TypeError, ValueError):  # TypeError: it is None
                    operation = None
                if not isinstance(operation, dict):
                    raise _damaged(f"log:{number}")
                self._read, self._last = number, entry
                yield operation

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write operations."""
        for log in logs:
            keys = f"{REDIS_PREFIX}:log_number", f"{REDIS_PREFIX}:log"
            arguments = self._read, self._last, json.dumps(log)
            answer = self._server("EVAL", APPEND, 2, *keys, *arguments)
            if answer == 0:
                raise _lost()
            if answer == -1:
                raise _damaged("log_number")


def _lost() -> StorageInternalError:
    return StorageInternalError(
        "the server lost some of the study (was it restarted without its data?); "
        "run the command again to continue with what it kept"
    )


def _damaged(key: str) -> StorageInternalError:
    return StorageInternalError(
        f"the key {REDIS_PREFIX}:{key} was lost, or is not from a journal of Optuna; use another "
        f"database number, or delete the keys {REDIS_PREFIX}:*"
    )
