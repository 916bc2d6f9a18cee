"""Runs the commands of one document in one shell, in a copy of the repository, and returns what each printed."""

import os
import secrets
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

# The address that the documents name. The gateway that the check started has another.
ADDRESS = "127.0.0.1:8080"
SECONDS_FOR_A_DOCUMENT = 300


def copy_of_repository(repository, folder):
    """Copies what git tracks: what a clone has."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=repository, check=True, capture_output=True, text=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (repository / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, folder / name)


def as_shell(command, number, folder, tsc):
    """Returns the command as lines of a shell script. Code in another language goes into a file beside the copy."""
    if command.language == "sh":
        return command.text
    name = {"python": f"block-{number}.py", "ts": f"block-{number}.mts"}[command.language]
    (folder / name).write_text(command.text)
    if command.language == "python":
        return f"python3 {shlex.quote(str(folder / name))}\n"
    return f"{tsc} --outDir {shlex.quote(str(folder))} {shlex.quote(str(folder / name))} && node {shlex.quote(str(folder / name).replace('.mts', '.mjs'))}\n"


def run(commands, folder, path, address, tsc):
    """Returns for each command what it printed and its exit code; None for one that was not reached."""
    mark = secrets.token_hex(16)
    clone = folder / "clone"
    script = f"cd {shlex.quote(str(clone))}\n"
    for number, command in enumerate(commands):
        text = as_shell(command, number, folder, tsc).replace(ADDRESS, address)
        for code in folder.glob(f"block-{number}.*"):
            code.write_text(code.read_text().replace(ADDRESS, address))
        script += f"{text}printf '\\n{mark} %s\\n' $?\n"
    (folder / "script").write_text(script)
    # No setting of the caller's, and no progress bar or colour.
    environment = {"PATH": path, "HOME": os.environ["HOME"], "LANG": "C.UTF-8", "NO_COLOR": "1"}
    shell = subprocess.Popen(
        ["bash", str(folder / "script")],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )
    try:
        printed, _ = shell.communicate(timeout=SECONDS_FOR_A_DOCUMENT)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        printed, _ = shell.communicate()
    *parts, unfinished = printed.decode().replace(address, ADDRESS).split(f"\n{mark} ")
    return outcomes(parts, unfinished, len(commands))


def outcomes(parts, unfinished, count):
    """Pairs what stands before each mark with the exit code behind it."""
    found, printed = [], None
    for part in [*parts, unfinished]:
        code, _, rest = part.partition("\n") if printed is not None else ("", "", part)
        if printed is not None:
            found.append((printed, int(code)))
        printed = rest
    found += [(printed, None)] if len(found) < count else []
    return found + [None] * (count - len(found))
